//! How much went through in the last hour and in the last seven days, from what hosts have added up.

use jiff::SignedDuration;

use super::Operate;
use crate::store::{Step, StoreError, Tallied};

/// The name of the messages that Meta accepted.
pub const SENT: &str = "messages sent";

/// Names, each with the kinds and labels that are added up for it.
const NAMES: [(&str, &[(&str, &str)]); 5] = [
    ("events accepted", &[("event", "accepted")]),
    (SENT, &[("send", "accepted")]),
    ("delivered", &[("receipt", "delivered")]),
    ("read", &[("receipt", "read")]),
    ("failed", &[("send", "failed"), ("receipt", "failed")]),
];

/// How long messages took from their event to their phone, without those that waited for quiet hours, a window or a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToPhone {
    /// Number of messages.
    pub messages: i64,
    /// Half of them took at most this long, in seconds; infinite if it was more than a day.
    pub half: f64,
    /// 95 of 100 of them took at most this long, in seconds.
    pub most: f64,
}

/// What went through.
#[derive(Debug, PartialEq)]
pub struct Throughput {
    /// How often what happened.
    pub traffic: Vec<Traffic>,
    /// How long messages took in the last hour; `None` if there were none.
    pub hour: Option<ToPhone>,
    /// How long messages took in the last seven days; `None` if there were none.
    pub week: Option<ToPhone>,
}

/// How often something happened.
#[derive(Debug, PartialEq, Eq)]
pub struct Traffic {
    /// What happened.
    pub name: &'static str,
    /// In each of the last 60 minutes, the oldest first.
    pub hour: Vec<i64>,
    /// In every two hours of the last seven days, the oldest first.
    pub week: Vec<i64>,
}

impl Operate {
    /// What happened in the last hour and in the last seven days. What a host has counted in the current minute is missing.
    pub async fn traffic(&self) -> Result<Throughput, StoreError> {
        let now = self.now().as_second();
        let since = |seconds| self.now().checked_sub(SignedDuration::from_secs(seconds)).unwrap_or_default();
        let minutes = self.store.tally(Step::Minute, since(3_600)).await?;
        let hours = self.store.tally(Step::Hour, since(7 * 86_400)).await?;
        let traffic = NAMES.map(|(name, keys)| Traffic {
            name,
            hour: sums(&minutes, keys, now, 60, 60),
            week: sums(&hours, keys, now, 84, 7_200),
        });
        Ok(Throughput { traffic: traffic.into(), hour: to_phone(&minutes), week: to_phone(&hours) })
    }
}

/// How long messages took that were counted by the upper bounds of their waits.
fn to_phone(tallied: &[Tallied]) -> Option<ToPhone> {
    let of_phone = tallied.iter().filter(|tallied| tallied.kind == "phone");
    let mut waits: Vec<(f64, i64)> =
        of_phone.filter_map(|tallied| Some((tallied.label.parse().ok()?, tallied.n))).collect();
    waits.sort_by(|one, other| one.0.total_cmp(&other.0));
    let messages: i64 = waits.iter().map(|(_, n)| n).sum();
    let within = |share: f64| {
        let wanted = messages as f64 * share;
        let mut seen = 0;
        let bound = waits.iter().find(|(_, n)| {
            seen += n;
            seen as f64 >= wanted
        });
        bound.map_or(f64::INFINITY, |(bound, _)| *bound)
    };
    (messages > 0).then(|| ToPhone { messages, half: within(0.5), most: within(0.95) })
}

/// The sums of these kinds and labels in `count` buckets of `seconds`, the last of which ends now.
fn sums(tallied: &[Tallied], keys: &[(&str, &str)], now: i64, count: usize, seconds: i64) -> Vec<i64> {
    let mut sums = vec![0; count];
    for Tallied { at, kind, label, n } in tallied {
        let ago = usize::try_from((now - at.as_second()).max(0) / seconds).unwrap_or(usize::MAX);
        if keys.contains(&(kind, label))
            && let Some(sum) = count.checked_sub(ago + 1).and_then(|index| sums.get_mut(index))
        {
            *sum += n;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use jiff::Timestamp;

    use super::*;

    #[test]
    fn buckets_end_now_and_what_is_older_is_left_out() {
        let tallied = |second, kind: &str, n| Tallied {
            at: Timestamp::from_second(second).unwrap(),
            kind: kind.to_owned(),
            label: "failed".to_owned(),
            n,
        };
        let all = [
            tallied(1_000, "send", 1),
            tallied(940, "receipt", 2),
            tallied(950, "send", 4),
            tallied(880, "send", 8),
            tallied(100, "send", 16),
            tallied(990, "decision", 32),
        ];
        let keys = [("send", "failed"), ("receipt", "failed")];
        assert_eq!(sums(&all, &keys, 1_000, 3, 60), [8, 2, 5]);
    }

    #[test]
    fn half_and_most_of_the_messages_are_within_a_bound() {
        let waits = |label: &str, n| Tallied {
            at: Timestamp::UNIX_EPOCH,
            kind: "phone".to_owned(),
            label: label.to_owned(),
            n,
        };
        assert_eq!(to_phone(&[]), None);
        let all = [waits("10", 4), waits("2.5", 30), waits("1", 60), waits("inf", 4), waits("1", 2)];
        assert_eq!(to_phone(&all), Some(ToPhone { messages: 100, half: 1.0, most: 10.0 }));
        assert_eq!(to_phone(&[waits("inf", 1)]).map(|of| of.half), Some(f64::INFINITY));
    }
}
