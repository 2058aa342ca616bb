//! What is in memory to be sent: one line for each recipient, of which only the first may go, and among the
//! lines the most urgent first. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use crate::{
    domain::{Lane, Priority},
    store::{Done, LoggedNotification},
};

/// A notification that is to be sent.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which, and to whom.
    pub logged: LoggedNotification,
    /// Where it goes: as planned, and, once its intent is made, where the recipient is reached now. A notification
    /// without a recipient never becomes a job.
    pub recipient: String,
    /// The line it stands in: the sending number and the recipient.
    pub line: String,
    /// The attempt that is to be made, from 1.
    pub attempt: i16,
    /// How many refusals count against it so far.
    pub failures: i16,
    /// Send it as a Meta template, since Meta said that the window is closed.
    pub as_template: bool,
    /// It waited in `deferred`.
    pub waited: bool,
}

/// The line of a number's messages to a recipient.
pub fn line_of(phone_number_id: &str, recipient: &str) -> String {
    format!("{phone_number_id}/{recipient}")
}

impl Job {
    /// That it waits no more, where it waited.
    pub fn done(&self) -> Option<Done> {
        self.waited.then(|| Done { place: self.place(), attempt: self.attempt })
    }

    /// Its place in the log.
    pub fn place(&self) -> (Lane, i64) {
        (self.logged.lane, self.logged.seq)
    }
}

#[derive(Debug, Default)]
struct Line {
    jobs: VecDeque<Job>,
    in_flight: bool,
}

/// The lines.
#[derive(Debug, Default)]
pub struct Queue {
    lines: HashMap<String, Line>,
    /// By sending number, the lines whose first job may go.
    ready: BTreeMap<String, BTreeSet<Ready>>,
    places: HashSet<(Lane, i64)>,
    /// How many were taken since the least urgent had a turn.
    taken: u32,
}

type Ready = (Priority, i64, String);

/// Of so many jobs one is the least urgent, however many urgent ones there are.
const FOR_THE_LEAST: u32 = 10;

impl Queue {
    /// How many jobs wait here.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether the notification at this place waits here.
    pub fn contains(&self, place: (Lane, i64)) -> bool {
        self.places.contains(&place)
    }

    /// Joins its recipient's line.
    pub fn push(&mut self, job: Job) {
        if !self.places.insert(job.place()) {
            return;
        }
        let line = self.lines.entry(job.line.clone()).or_default();
        line.jobs.push_back(job);
        if line.jobs.len() == 1 && !line.in_flight {
            let first = key(line);
            self.make_ready(first);
        }
    }

    fn make_ready(&mut self, first: Option<(String, Ready)>) {
        if let Some((number, first)) = first {
            self.ready.entry(number).or_default().insert(first);
        }
    }

    /// The numbers that have something to send.
    pub fn numbers(&self) -> Vec<String> {
        self.ready.keys().cloned().collect()
    }

    /// How many lines of this number may go.
    pub fn ready_of(&self, number: &str) -> usize {
        self.ready.get(number).map_or(0, BTreeSet::len)
    }

    /// Takes a number's most urgent job that may go, and now and then the oldest of the least urgent; its line stands
    /// until [`Queue::release`].
    pub fn pop(&mut self, number: &str) -> Option<Job> {
        let ready = self.ready.get_mut(number)?;
        self.taken = (self.taken + 1) % FOR_THE_LEAST;
        let (_, _, recipient) = match self.taken {
            0 => {
                let (least, ..) = ready.last()?;
                let first = ready.range((*least, i64::MIN, String::new())..).next().cloned()?;
                ready.take(&first)?
            }
            _ => ready.pop_first()?,
        };
        if ready.is_empty() {
            self.ready.remove(number);
        }
        let line = self.lines.get_mut(&recipient)?;
        let job = line.jobs.pop_front()?;
        line.in_flight = true;
        self.places.remove(&job.place());
        Some(job)
    }

    /// The recipient's next job may go.
    pub fn release(&mut self, recipient: &str) {
        let Some(line) = self.lines.get_mut(recipient) else { return };
        line.in_flight = false;
        match key(line) {
            Some(first) => self.make_ready(Some(first)),
            None => {
                self.lines.remove(recipient);
            }
        }
    }

    /// Empties the recipient's line, in order.
    pub fn drain(&mut self, recipient: &str) -> Vec<Job> {
        let Some(line) = self.lines.get_mut(recipient) else { return Vec::new() };
        if !line.in_flight {
            let first = key(line);
            if let Some((number, first)) = first
                && let Some(ready) = self.ready.get_mut(&number)
            {
                ready.remove(&first);
            }
        }
        let jobs: Vec<Job> = line.jobs.drain(..).collect();
        for job in &jobs {
            self.places.remove(&job.place());
        }
        if !line.in_flight {
            self.lines.remove(recipient);
        }
        jobs
    }

    /// Drops the jobs of lanes that are not held any more; their notifications stay in the log.
    pub fn retain_lanes(&mut self, held: impl Fn(Lane) -> bool) {
        self.ready.clear();
        self.places.retain(|(lane, _)| held(*lane));
        self.lines.retain(|_, line| {
            line.jobs.retain(|job| held(job.logged.lane));
            line.in_flight || !line.jobs.is_empty()
        });
        let firsts: Vec<_> = self.lines.values().filter(|line| !line.in_flight).filter_map(key).collect();
        for first in firsts {
            self.make_ready(Some(first));
        }
    }
}

/// Its sending number, and its place among those that may go.
fn key(line: &Line) -> Option<(String, Ready)> {
    let job = line.jobs.front()?;
    let number = job.logged.notification.phone_number_id.clone();
    Some((number, (job.logged.notification.priority, job.logged.seq, job.line.clone())))
}

#[cfg(test)]
pub mod testing {
    use super::*;
    use crate::domain::{Message, Notification, NotificationId};

    /// A job that nothing is known of but this.
    pub fn job(seq: i64, recipient: &str, priority: Priority) -> Job {
        Job {
            logged: LoggedNotification {
                lane: Lane::of(recipient),
                seq,
                notification: Notification {
                    id: NotificationId(uuid::Uuid::nil()),
                    username: None,
                    name: None,
                    recipient: Some(recipient.to_owned()),
                    phone_number_id: "1".to_owned(),
                    template: "t".to_owned(),
                    priority,
                    message: Message::default(),
                    reason: String::new(),
                    send_at: None,
                    expires_at: None,
                },
                window_until: None,
                number_window_until: None,
                quiet_hours: None,
                refusal: None,
            },
            recipient: recipient.to_owned(),
            line: recipient.to_owned(),
            attempt: 1,
            failures: 0,
            as_template: false,
            waited: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::job, *};

    fn seqs(queue: &mut Queue) -> Vec<i64> {
        std::iter::from_fn(|| queue.pop("1")).map(|job| job.logged.seq).collect()
    }

    #[test]
    fn one_recipient_has_one_message_on_its_way() {
        let mut queue = Queue::default();
        for seq in 1..=3 {
            queue.push(job(seq, "a", Priority::Normal));
        }
        assert_eq!(seqs(&mut queue), [1]);
        queue.release("a");
        assert_eq!(seqs(&mut queue), [2]);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn urgent_overtakes_others_but_not_its_own_recipient() {
        let mut queue = Queue::default();
        queue.push(job(1, "a", Priority::Bulk));
        queue.push(job(2, "a", Priority::Urgent));
        queue.push(job(3, "b", Priority::Normal));
        queue.push(job(4, "c", Priority::Urgent));
        assert_eq!(seqs(&mut queue), [4, 3, 1]);
        queue.release("a");
        assert_eq!(seqs(&mut queue), [2]);
    }

    #[test]
    fn bulk_gets_its_turn_however_many_urgent_ones_there_are() {
        let mut queue = Queue::default();
        for seq in 0..30 {
            queue.push(job(seq, &format!("bulk {seq}"), Priority::Bulk));
            queue.push(job(100 + seq, &format!("urgent {seq}"), Priority::Urgent));
        }
        let first: Vec<i64> = seqs(&mut queue).into_iter().take(20).filter(|seq| *seq < 100).collect();
        assert_eq!(first, [0, 1], "a tenth, the oldest first");
    }

    #[test]
    fn a_place_is_queued_once() {
        let mut queue = Queue::default();
        queue.push(job(1, "a", Priority::Normal));
        queue.push(job(1, "a", Priority::Normal));
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn a_drained_line_is_empty_and_works_again() {
        let mut queue = Queue::default();
        queue.push(job(1, "a", Priority::Normal));
        queue.push(job(2, "a", Priority::Normal));
        assert_eq!(queue.pop("1").map(|job| job.logged.seq), Some(1));
        assert_eq!(queue.drain("a").len(), 1);
        queue.release("a");
        assert_eq!(queue.pop("1").map(|job| job.logged.seq), None);
        queue.push(job(2, "a", Priority::Normal));
        assert_eq!(seqs(&mut queue), [2]);
    }

    #[test]
    fn lost_lanes_leave_the_queue() {
        let mut queue = Queue::default();
        queue.push(job(1, "a", Priority::Normal));
        queue.push(job(2, "b", Priority::Normal));
        let lost = Lane::of("a");
        assert_ne!(lost, Lane::of("b"));
        queue.retain_lanes(|lane| lane != lost);
        assert_eq!(seqs(&mut queue), [2]);
    }
}
