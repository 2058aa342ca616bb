//! How fast: the number's rate and Meta's pair limit, as GCRA (the generic cell rate algorithm). Pure: time
//! is passed in.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::job::LineId;

/// Meta's pair limit: one message in six seconds to one recipient (Meta, "About the platform", pair rate
/// limits), of which up to 45 may be borrowed from the future.
pub const PAIR_INTERVAL: Duration = Duration::from_secs(6);
const PAIR_BURST: u32 = 45;

/// A rate of one in `interval`, with a burst.
#[derive(Clone, Copy, Debug)]
struct Gcra {
    interval: Duration,
    tolerance: Duration,
    /// The theoretical arrival time: when the next would be due if all came evenly.
    due: Option<Instant>,
}

impl Gcra {
    fn new(interval: Duration, burst: u32) -> Gcra {
        Gcra { interval, tolerance: interval * burst.saturating_sub(1), due: None }
    }

    fn ready_at(&self, now: Instant) -> Instant {
        self.due.and_then(|due| due.checked_sub(self.tolerance)).map_or(now, |at| at.max(now))
    }

    /// When half of the burst is there again.
    fn spare_at(&self, now: Instant) -> Instant {
        self.due.and_then(|due| due.checked_sub(self.tolerance / 2)).map_or(now, |at| at.max(now))
    }

    fn take(&mut self, now: Instant) {
        self.due = Some(self.due.map_or(now, |due| due.max(now)) + self.interval);
    }

    fn full(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| due <= now)
    }
}

/// The rate of a sending number.
#[derive(Debug)]
pub struct NumberPace {
    messages_per_second: f64,
    share: f64,
    slowed: f64,
    slowed_at: Option<Instant>,
    rest: Option<Rest>,
    gcra: Gcra,
}

/// A number that cannot send: after a while one message tries, and the others wait for what comes of it.
#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    is_tried: bool,
}

/// Slower than this part of the rate it never gets.
const SLOWEST: f64 = 1.0 / 16.0;
/// After being slowed, the rate doubles once in this time until it is whole again.
const RECOVERY: Duration = Duration::from_secs(10);
/// When to look again after a number that rests.
const TRY_AGAIN: Duration = Duration::from_secs(1);

impl NumberPace {
    /// A number that may send so many messages a second.
    pub fn new(messages_per_second: u32) -> NumberPace {
        let mut pace = NumberPace {
            messages_per_second: f64::from(messages_per_second.max(1)),
            share: 1.0,
            slowed: 1.0,
            slowed_at: None,
            rest: None,
            gcra: Gcra::new(Duration::from_secs(1), 1),
        };
        pace.tune();
        pace
    }

    /// The part of the number's rate that is this host's: that of the lanes it holds.
    pub fn set_share(&mut self, share: f64) {
        self.share = share.clamp(0.0, 1.0);
        self.tune();
    }

    /// Meta says that it was too fast: half the rate, for now.
    pub fn slow(&mut self, now: Instant) {
        // One burst gets many such answers; they are one.
        if self.slowed_at.is_none_or(|at| now >= at + Duration::from_secs(1)) {
            self.slowed = (self.slowed / 2.0).max(SLOWEST);
            self.slowed_at = Some(now);
            self.tune();
        }
    }

    /// Nothing for so long, then one message, and nothing more before its answer. Tells whether the number could
    /// send until now.
    pub fn rest(&mut self, now: Instant, time: Duration) -> bool {
        let until = self.rest.map_or(now + time, |rest| rest.until.max(now + time));
        self.rest.replace(Rest { until, is_tried: false }).is_none()
    }

    /// Whether it rests.
    pub fn rests(&self) -> bool {
        self.rest.is_some()
    }

    /// An answer came that says nothing against the number; `heard` where it is Meta's. Tells whether the number
    /// can send again.
    pub fn answered(&mut self, now: Instant, heard: bool) -> bool {
        match &mut self.rest {
            // Answers to what was sent before the rest prove nothing.
            Some(rest) if rest.is_tried && heard => {
                self.rest = None;
                true
            }
            Some(rest) if rest.is_tried => {
                *rest = Rest { until: now + TRY_AGAIN, is_tried: false };
                false
            }
            _ => false,
        }
    }

    /// When the next message may go.
    pub fn ready_at(&mut self, now: Instant) -> Instant {
        self.recover(now);
        let ready = self.gcra.ready_at(now);
        match self.rest {
            None => ready,
            Some(rest) if rest.is_tried => now + TRY_AGAIN,
            Some(rest) => rest.until.max(ready),
        }
    }

    /// When a bulk message may go: half of the burst is kept for those that are not, so that they find room at once.
    pub fn spare_at(&mut self, now: Instant) -> Instant {
        self.ready_at(now).max(self.gcra.spare_at(now))
    }

    /// One message goes.
    pub fn take(&mut self, now: Instant) {
        self.gcra.take(now);
        if let Some(rest) = &mut self.rest {
            rest.is_tried = true;
        }
    }

    fn recover(&mut self, now: Instant) {
        if let Some(at) = self.slowed_at
            && now >= at + RECOVERY
        {
            self.slowed = (self.slowed * 2.0).min(1.0);
            self.slowed_at = (self.slowed < 1.0).then_some(now);
            self.tune();
        }
    }

    fn tune(&mut self) {
        let rate = (self.messages_per_second * self.share * self.slowed).max(0.1);
        // A tenth of a second's worth may go at once: the clock of the loop is not finer.
        let burst = (rate / 10.0).max(1.0) as u32;
        let due = self.gcra.due;
        self.gcra = Gcra { due, ..Gcra::new(Duration::from_secs_f64(1.0 / rate), burst) };
    }
}

/// The pair limit of each line that was sent lately.
#[derive(Debug, Default)]
pub struct PairPace {
    pairs: HashMap<LineId, Pair>,
}

#[derive(Debug)]
struct Pair {
    gcra: Gcra,
    /// Meta said so.
    not_before: Instant,
}

impl PairPace {
    /// When the next message of this line may go.
    pub fn ready_at(&self, line: &LineId, now: Instant) -> Instant {
        self.pairs.get(line).map_or(now, |pair| pair.gcra.ready_at(now).max(pair.not_before))
    }

    /// One message of this line goes.
    pub fn take(&mut self, line: &LineId, now: Instant) {
        self.pair(line, now).gcra.take(now);
    }

    /// Meta says that the line was too fast: nothing of it before then, of whatever priority.
    pub fn rest(&mut self, line: &LineId, until: Instant) {
        let pair = self.pair(line, until);
        pair.not_before = pair.not_before.max(until);
    }

    fn pair(&mut self, line: &LineId, now: Instant) -> &mut Pair {
        let new = || Pair { gcra: Gcra::new(PAIR_INTERVAL, PAIR_BURST), not_before: now };
        self.pairs.entry(line.clone()).or_insert_with(new)
    }

    /// Forgets recipients whose allowance is whole again.
    pub fn forget(&mut self, now: Instant) {
        self.pairs.retain(|_, pair| !pair.gcra.full(now) || pair.not_before > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_within(pace: &mut NumberPace, from: Instant, time: Duration) -> u32 {
        let mut now = from;
        let mut sent = 0;
        loop {
            now = pace.ready_at(now);
            if now >= from + time {
                return sent;
            }
            pace.take(now);
            sent += 1;
        }
    }

    #[test]
    fn a_number_keeps_its_rate() {
        let start = Instant::now();
        let sent = sent_within(&mut NumberPace::new(80), start, Duration::from_secs(10));
        assert!((800..=808).contains(&sent), "{sent}");
    }

    #[test]
    fn bulk_leaves_half_of_the_burst_and_keeps_the_whole_rate() {
        let start = Instant::now();
        let mut pace = NumberPace::new(80);
        let mut now = start;
        let mut sent = 0;
        while now < start + Duration::from_secs(10) {
            pace.take(now);
            sent += 1;
            now = pace.spare_at(now);
            assert!(pace.ready_at(now) == now, "another goes at once, after {sent}");
        }
        assert!((800..=808).contains(&sent), "{sent}");
        for _ in 0..4 {
            assert_eq!(pace.ready_at(now), now, "and three more");
            pace.take(now);
        }
        assert!(pace.spare_at(now) > pace.ready_at(now));
    }

    #[test]
    fn a_slowed_number_recovers() {
        let start = Instant::now();
        let mut pace = NumberPace::new(80);
        pace.slow(start);
        pace.slow(start);
        let sent = sent_within(&mut pace, start, Duration::from_secs(1));
        assert!((40..=44).contains(&sent), "half the rate, though told twice at once: {sent}");
        let later = start + Duration::from_secs(60);
        let sent = sent_within(&mut pace, later, Duration::from_secs(1));
        assert!((80..=88).contains(&sent), "whole again: {sent}");
    }

    #[test]
    fn a_share_is_a_part_of_the_rate() {
        let start = Instant::now();
        let mut pace = NumberPace::new(80);
        pace.set_share(0.5);
        let sent = sent_within(&mut pace, start, Duration::from_secs(10));
        assert!((400..=404).contains(&sent), "{sent}");
    }

    #[test]
    fn a_number_that_rests_tries_with_one_message() {
        let start = Instant::now();
        let minute = Duration::from_secs(60);
        let mut pace = NumberPace::new(80);
        assert!(pace.rest(start, minute));
        assert!(!pace.rest(start, minute), "told once");
        assert!(!pace.answered(start, true), "that was sent before");
        let then = start + minute;
        assert_eq!(pace.ready_at(start), then);
        pace.take(then);
        assert!(pace.ready_at(then) > then, "the others wait for its answer");
        assert!(!pace.answered(then, false), "nobody answers: try again");
        let then = pace.ready_at(then);
        pace.take(then);
        assert!(pace.answered(then, true));
        assert!(pace.ready_at(then) < then + Duration::from_millis(100));
    }

    #[test]
    fn a_pair_gets_45_at_once_and_then_one_in_six_seconds() {
        let start = Instant::now();
        let mut pairs = PairPace::default();
        let (ann, bob) = (LineId::new("1", "263771000001"), LineId::new("1", "263771000002"));
        let mut now = start;
        for n in 0..45 {
            assert_eq!(pairs.ready_at(&ann, now), start, "message {n}");
            pairs.take(&ann, now);
        }
        for n in 1..4 {
            now = pairs.ready_at(&ann, now);
            assert_eq!(now, start + PAIR_INTERVAL * n);
            pairs.take(&ann, now);
        }
        assert_eq!(pairs.ready_at(&bob, start), start, "another recipient does not wait");
        pairs.forget(start + Duration::from_secs(3600));
        assert!(pairs.pairs.is_empty());
    }
}
