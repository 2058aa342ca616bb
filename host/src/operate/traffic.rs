//! How much went through in the last hour and in the last seven days, from what hosts have added up.

use jiff::SignedDuration;

use super::Operate;
use crate::store::{Step, StoreError, Tallied};

/// Names, each with the kinds and labels that are added up for it.
const NAMES: [(&str, &[(&str, &str)]); 5] = [
    ("events accepted", &[("event", "accepted")]),
    ("messages sent", &[("send", "accepted")]),
    ("delivered", &[("receipt", "delivered")]),
    ("read", &[("receipt", "read")]),
    ("failed", &[("send", "failed"), ("receipt", "failed")]),
];

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
    pub async fn traffic(&self) -> Result<Vec<Traffic>, StoreError> {
        let now = self.now().as_second();
        let since = |seconds| self.now().checked_sub(SignedDuration::from_secs(seconds)).unwrap_or_default();
        let minutes = self.store.tally(Step::Minute, since(3_600)).await?;
        let hours = self.store.tally(Step::Hour, since(7 * 86_400)).await?;
        let traffic = NAMES.map(|(name, keys)| Traffic {
            name,
            hour: sums(&minutes, keys, now, 60, 60),
            week: sums(&hours, keys, now, 84, 7_200),
        });
        Ok(traffic.into())
    }
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
}
