//! What dispatch is made of. `reader` and `sender` are what it does.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use hookswitch_core::{
    domain::{LANES, NotificationId},
    plan::InUse,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc, watch};
use uuid::Uuid;

use super::{
    book::Book,
    form::Parked,
    job::{Job, Place},
    pace::{NumberPace, PairPace},
    uploads::Uploads,
    writer::{self, Write},
};
use crate::{
    lanes::{Beat, Grown, Leases, Progress, Unread},
    metrics::{DispatchMetrics, NumberMetrics},
    store::{Intended, Store, StoreError},
    traces::Tracer,
    whatsapp::{Accepted, Form, SendError},
};

/// A number that has as much under way as it may, and heard nothing for so long, hangs.
const HANGS: Duration = Duration::from_secs(5);

/// Dependencies of dispatch.
pub struct Deps {
    /// The database.
    pub store: Store,
    /// Sends messages to the Cloud API, and uploads their files.
    pub uploads: Arc<Uploads>,
    /// This host.
    pub host: Uuid,
    /// The lanes that it holds.
    pub leases: watch::Receiver<Leases>,
    /// Where it counts what is under way in each lane.
    pub progress: Arc<Progress>,
    /// Touched at each turn.
    pub beat: Beat,
    /// Where the notification log has grown.
    pub wake: Arc<Grown>,
    /// Messages per second that a number may send.
    pub messages_per_second: u32,
    /// How long the outcome of a send that got no answer may stay unknown.
    pub unknown_for: SignedDuration,
    /// The versions of templates that are in use at Meta.
    pub in_use: Arc<ArcSwap<InUse>>,
    /// Notified when Meta refuses a version.
    pub template_refused: Arc<Notify>,
    /// Whether there are several sending numbers.
    pub several_numbers: bool,
    /// How many users may be written to in 24 hours outside their windows.
    pub daily_limit: watch::Receiver<Option<u32>>,
    /// Counts sends.
    pub metrics: DispatchMetrics,
    /// Records sends.
    pub tracer: Tracer,
}

/// Meta's answer to an attempt.
pub(super) struct Answer {
    pub job: Job,
    /// Where it was sent.
    pub to: String,
    pub form: Form,
    pub answer: Result<Accepted, SendError>,
    /// How long Meta took.
    pub took: Duration,
}

/// A batch whose intents were to be appended.
pub(super) struct Batch {
    pub jobs: Vec<(Job, Form)>,
    /// What came of each.
    pub intended: Result<HashMap<NotificationId, Intended>, StoreError>,
    /// Those that Meta's daily limit does not allow before then.
    pub wait: Vec<(Job, Timestamp)>,
}

/// What is under way of a sending number, and how fast it may go.
pub(super) struct Number {
    pub pace: NumberPace,
    /// Taken, and no answer yet.
    pub unanswered: usize,
    pub heard_at: Instant,
    pub metrics: NumberMetrics,
}

/// The sending numbers.
pub(super) struct Numbers {
    numbers: HashMap<Arc<str>, Number>,
    messages_per_second: u32,
    share: f64,
    metrics: DispatchMetrics,
    /// Enough for half a second's worth on its way, which is what a slow answer of Meta's takes.
    pub most_unanswered: usize,
}

impl Numbers {
    fn new(messages_per_second: u32, metrics: DispatchMetrics) -> Numbers {
        Numbers {
            numbers: HashMap::new(),
            messages_per_second,
            share: 1.0,
            metrics,
            most_unanswered: (messages_per_second as usize / 2).clamp(32, 1_024),
        }
    }

    /// One of them.
    pub fn get(&mut self, number: &Arc<str>) -> &mut Number {
        self.numbers.entry(number.clone()).or_insert_with(|| {
            let mut pace = NumberPace::new(self.messages_per_second);
            pace.set_share(self.share);
            let metrics = self.metrics.of_number(number, self.messages_per_second);
            Number { pace, unanswered: 0, heard_at: Instant::now(), metrics }
        })
    }

    /// This host's part of each number's rate is that of the lanes it holds.
    pub fn set_share(&mut self, lanes: usize) {
        self.share = lanes as f64 / f64::from(LANES);
        self.numbers.values_mut().for_each(|number| number.pace.set_share(self.share));
    }

    /// Shows which of them rest.
    pub fn show(&self) {
        self.numbers.values().for_each(|number| number.metrics.rests(number.pace.rests()));
    }

    /// Those that cannot send now: they rest, or their requests hang.
    pub fn stuck(&self, now: Instant) -> HashSet<Arc<str>> {
        let is_stuck = |number: &Number| {
            let is_full = number.unanswered >= self.most_unanswered;
            number.pace.rests() || (is_full && now.duration_since(number.heard_at) > HANGS)
        };
        self.numbers.iter().filter(|(_, number)| is_stuck(number)).map(|(id, _)| id.clone()).collect()
    }
}

/// Sends what the notification log says.
pub struct Dispatch {
    pub(super) store: Store,
    pub(super) uploads: Arc<Uploads>,
    pub(super) host: Uuid,
    pub(super) leases: watch::Receiver<Leases>,
    pub(super) progress: Arc<Progress>,
    pub(super) beat: Beat,
    pub(super) wake: Arc<Grown>,
    pub(super) book: Book,
    pub(super) numbers: Numbers,
    pub(super) pairs: PairPace,
    pub(super) in_use: Arc<ArcSwap<InUse>>,
    pub(super) template_refused: Arc<Notify>,
    pub(super) parked: Parked,
    pub(super) daily_limit: watch::Receiver<Option<u32>>,
    pub(super) metrics: DispatchMetrics,
    pub(super) tracer: Tracer,
    /// Lanes that may have more in the log than was read.
    pub(super) unread: Unread,
    /// By priority, whether there may be more in these.
    pub(super) more: [bool; 3],
    /// By priority, whether there may be more that was not searched for those of other numbers.
    pub(super) unsearched: [bool; 3],
    /// Users who were counted against the daily limit lately.
    pub(super) counted: HashMap<Arc<str>, Instant>,
    /// When a message was last found to be stopped by an operator.
    pub(super) stopped_at: Option<Instant>,
    /// How many batches of intents are on their way.
    pub(super) intending: usize,
    pub(super) intents: mpsc::UnboundedSender<Batch>,
    pub(super) intended: mpsc::UnboundedReceiver<Batch>,
    pub(super) answers: mpsc::UnboundedSender<Answer>,
    pub(super) answered: mpsc::UnboundedReceiver<Answer>,
    writes: mpsc::UnboundedSender<Write>,
    pub(super) written: mpsc::UnboundedReceiver<Place>,
}

impl Dispatch {
    /// The number that sends a message.
    pub(super) fn number_of(&mut self, job: &Job) -> &mut Number {
        self.numbers.get(&job.line.number)
    }

    /// A dispatch that has not begun.
    pub fn new(deps: Deps) -> Dispatch {
        let (intents, intended) = mpsc::unbounded_channel();
        let (answers, answered) = mpsc::unbounded_channel();
        let (writes, to_write) = mpsc::unbounded_channel();
        let (told, written) = mpsc::unbounded_channel();
        tokio::spawn(writer::run(deps.store.clone(), to_write, told));
        let book = Book::new(deps.progress.clone(), deps.unknown_for, deps.several_numbers);
        Dispatch {
            store: deps.store,
            uploads: deps.uploads,
            host: deps.host,
            leases: deps.leases,
            progress: deps.progress,
            beat: deps.beat,
            wake: deps.wake,
            book,
            numbers: Numbers::new(deps.messages_per_second, deps.metrics.clone()),
            pairs: PairPace::default(),
            in_use: deps.in_use,
            template_refused: deps.template_refused,
            parked: Parked::new(),
            daily_limit: deps.daily_limit,
            metrics: deps.metrics,
            tracer: deps.tracer,
            unread: Unread::All,
            more: [true; 3],
            unsearched: [true; 3],
            counted: HashMap::new(),
            stopped_at: None,
            intending: 0,
            intents,
            intended,
            answers,
            answered,
            writes,
            written,
        }
    }

    /// Hands what is to be written to the writer.
    pub(super) fn write(&mut self) {
        for write in self.book.writes() {
            // Where the writer has failed, dispatch ends.
            let _ = self.writes.send(write);
        }
    }

    /// Whether the task that writes outcomes still does.
    pub(super) fn can_write(&self) -> bool {
        !self.writes.is_closed()
    }
}
