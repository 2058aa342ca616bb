//! Decides what follows a rejection, in an answer or later by webhook. Pure.

use std::time::Duration;

use hookswitch_core::domain::{Mode, WaitReason};

use super::Treatment;

/// Number of rejections of the message itself after which it has failed.
pub const MAX_FAILURES: i16 = 8;
/// The same number while all of Meta is down: some hours, with the waits between attempts.
const MAX_OUTAGES: i16 = 16;
/// How long a number rests that cannot send until an operator acts; then one message is tried.
const STOPPED_FOR: Duration = Duration::from_secs(60);

const BACKOFF_FIRST: f64 = 2.0;
const BACKOFF_MOST: f64 = 300.0;
const OUTAGE_MOST: f64 = 3_600.0;

/// The effect of a rejection on the sending number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NumberEffect {
    /// Nothing.
    None,
    /// It sends more slowly.
    Slow,
    /// It rests for this time; then one message is tried.
    Rest(Duration),
}

/// What happens to a rejected message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Another attempt.
    Again {
        /// Time to wait.
        seconds: f64,
        /// Why it waits.
        reason: WaitReason,
        /// Whether the attempt counts against the message, and not only against the number.
        counts: bool,
    },
    /// No further attempt.
    GiveUp,
}

/// Decides what follows a rejection with this treatment. `failures` is the number of attempts that count against the
/// message, including this one; `asked` is the time after which Meta allows another send, if given; `mode` is that of the
/// message; `jitter` is in 0..1.
pub fn next(
    treatment: Treatment,
    failures: i16,
    asked: Option<Duration>,
    mode: Mode,
    jitter: f64,
) -> (Next, NumberEffect) {
    // An earlier attempt would be rejected.
    let not_before = |seconds: f64| seconds.max(asked.map_or(0.0, |asked| asked.as_secs_f64()));
    let again = |seconds, reason, effect| {
        (Next::Again { seconds: not_before(seconds), reason, counts: true }, effect)
    };
    let innocent =
        |seconds, effect| (Next::Again { seconds, reason: WaitReason::Retry, counts: false }, effect);
    let rest = |time: Duration| innocent(time.as_secs_f64(), NumberEffect::Rest(time));
    match treatment {
        Treatment::StopNumber => rest(asked.map_or(STOPPED_FOR, |asked| asked.max(STOPPED_FOR))),
        Treatment::Later(wait) => rest(asked.unwrap_or(wait)),
        Treatment::SlowNumber => {
            innocent(not_before(backoff(failures, BACKOFF_MOST, jitter)), NumberEffect::Slow)
        }
        Treatment::Outage if failures < MAX_OUTAGES => {
            again(backoff(failures, OUTAGE_MOST, jitter), WaitReason::Retry, NumberEffect::None)
        }
        Treatment::Throttled if failures < MAX_OUTAGES => {
            let effect = asked.map_or(NumberEffect::Slow, NumberEffect::Rest);
            again(backoff(failures, OUTAGE_MOST, jitter), WaitReason::Retry, effect)
        }
        Treatment::GiveUp | Treatment::OptOut | Treatment::Outage | Treatment::Throttled => {
            (Next::GiveUp, NumberEffect::None)
        }
        _ if failures >= MAX_FAILURES => (Next::GiveUp, NumberEffect::None),
        Treatment::Retry => {
            again(backoff(failures, BACKOFF_MOST, jitter), WaitReason::Retry, NumberEffect::None)
        }
        // Meta: wait 4^X seconds, X = 0, 1, 2, …
        Treatment::RetryPair => {
            again(4f64.powi(i32::from(failures) - 1), WaitReason::Pair, NumberEffect::None)
        }
        Treatment::AsTemplate if mode == Mode::Template => (Next::GiveUp, NumberEffect::None),
        Treatment::AsTemplate => again(0.0, WaitReason::AsTemplate, NumberEffect::None),
        Treatment::ParkTemplate => again(0.0, WaitReason::Window, NumberEffect::None),
    }
}

/// Exponential backoff with full jitter, but never zero.
fn backoff(failures: i16, most: f64, jitter: f64) -> f64 {
    let whole = BACKOFF_FIRST * 2f64.powi(i32::from(failures) - 1);
    (whole.min(most) * jitter).max(0.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(treatment: Treatment, failures: i16, jitter: f64) -> f64 {
        match next(treatment, failures, None, Mode::Auto, jitter).0 {
            Next::Again { seconds, .. } => seconds,
            Next::GiveUp => f64::NAN,
        }
    }

    #[test]
    fn a_pair_waits_as_meta_says() {
        for (failures, wait) in [(1, 1.0), (2, 4.0), (3, 16.0), (4, 64.0)] {
            assert_eq!(seconds(Treatment::RetryPair, failures, 0.5), wait);
        }
    }

    #[test]
    fn what_is_about_the_message_comes_to_an_end() {
        use Treatment::{AsTemplate, Outage, ParkTemplate, Retry, RetryPair};
        for treatment in [Retry, RetryPair, AsTemplate, ParkTemplate] {
            assert!(seconds(treatment, MAX_FAILURES - 1, 0.5) >= 0.0, "{treatment:?}");
            assert_eq!(next(treatment, MAX_FAILURES, None, Mode::Auto, 0.5).0, Next::GiveUp, "{treatment:?}");
        }
        assert!(seconds(Outage, MAX_FAILURES, 0.5) > 0.0, "an outage lasts longer");
        assert_eq!(next(Outage, MAX_OUTAGES, None, Mode::Auto, 0.5).0, Next::GiveUp);
    }

    #[test]
    fn what_is_about_the_number_does_not_count() {
        let minute = Duration::from_secs(60);
        for (treatment, effect) in [
            (Treatment::StopNumber, NumberEffect::Rest(minute)),
            (Treatment::Later(minute), NumberEffect::Rest(minute)),
            (Treatment::SlowNumber, NumberEffect::Slow),
        ] {
            let (next, number) = next(treatment, i16::MAX, None, Mode::Auto, 0.5);
            assert!(matches!(next, Next::Again { counts: false, .. }), "{treatment:?}");
            assert_eq!(number, effect);
        }
    }

    #[test]
    fn the_time_that_meta_names_counts() {
        let asked = Some(Duration::from_secs(3));
        let at = |treatment, asked| match next(treatment, 1, asked, Mode::Auto, 1.0) {
            (Next::Again { seconds, .. }, effect) => (seconds, effect),
            (Next::GiveUp, _) => panic!("{treatment:?}"),
        };
        let rest = |seconds| NumberEffect::Rest(Duration::from_secs(seconds));
        assert_eq!(at(Treatment::Later(Duration::from_secs(300)), asked), (3.0, rest(3)));
        assert_eq!(at(Treatment::Later(Duration::from_secs(300)), None), (300.0, rest(300)));
        assert_eq!(at(Treatment::Throttled, asked), (3.0, rest(3)));
        assert_eq!(at(Treatment::Throttled, None), (2.0, NumberEffect::Slow));
        assert_eq!(at(Treatment::Retry, asked), (3.0, NumberEffect::None));
        assert_eq!(at(Treatment::StopNumber, asked), (60.0, rest(60)), "not sooner than an operator can act");
    }

    #[test]
    fn backoff_grows_and_is_bounded() {
        assert_eq!(seconds(Treatment::Retry, 1, 1.0), 2.0);
        assert_eq!(seconds(Treatment::Retry, 4, 1.0), 16.0);
        assert_eq!(seconds(Treatment::Retry, 4, 0.5), 8.0);
        assert_eq!(seconds(Treatment::Retry, 1, 0.0), 0.1);
        assert_eq!(seconds(Treatment::Outage, 15, 1.0), 3_600.0);
    }

    #[test]
    fn a_closed_window_is_no_answer_to_a_template() {
        let next = |mode| next(Treatment::AsTemplate, 1, None, mode, 0.5).0;
        let again = Next::Again { seconds: 0.0, reason: WaitReason::AsTemplate, counts: true };
        assert_eq!(next(Mode::Auto), again);
        assert_eq!(next(Mode::Text), again, "it waits for the window");
        assert_eq!(next(Mode::Template), Next::GiveUp);
    }
}
