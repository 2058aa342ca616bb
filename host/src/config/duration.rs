//! Durations in settings: a number and a unit, for example `60s` or `90d`.

use jiff::SignedDuration;

const DAY: u64 = 86_400;
/// A hundred years.
const LONGEST_KEEP: u64 = 36_500 * DAY;

/// How long to wait for a webhook: `1s` to `1d`.
pub fn unknown_after(text: &str) -> Result<SignedDuration, String> {
    let seconds = seconds(text).filter(|seconds| (1..=DAY).contains(seconds));
    seconds
        .and_then(whole)
        .ok_or_else(|| format!("expected a duration from 1s to 1d, for example 60s or 5m, got {text:?}"))
}

/// How long events are kept: `1d` to `36500d`, or `forever` (also `0`), which is `None`.
pub fn keep(text: &str) -> Result<Option<SignedDuration>, String> {
    if matches!(text, "forever" | "0") {
        return Ok(None);
    }
    let seconds = seconds(text).filter(|seconds| (DAY..=LONGEST_KEEP).contains(seconds));
    seconds
        .and_then(whole)
        .map(Some)
        .ok_or_else(|| format!("expected a duration from 1d to 36500d, or forever, got {text:?}"))
}

fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => DAY,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn whole(seconds: u64) -> Option<SignedDuration> {
    i64::try_from(seconds).ok().map(SignedDuration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_a_unit_and_a_range() {
        assert_eq!(unknown_after("2s"), Ok(SignedDuration::from_secs(2)));
        assert_eq!(unknown_after("24h"), Ok(SignedDuration::from_hours(24)));
        for wrong in ["", "60", "0s", "25h", "-1s", "1w", "1.5h", "99999999999999999999d", "s"] {
            assert!(unknown_after(wrong).is_err(), "{wrong}");
        }
        assert_eq!(keep("90d"), Ok(Some(SignedDuration::from_hours(90 * 24))));
        assert_eq!((keep("0"), keep("forever")), (Ok(None), Ok(None)));
        for wrong in ["", "90", "0d", "23h", "36501d", "never"] {
            assert!(keep(wrong).is_err(), "{wrong}");
        }
    }
}
