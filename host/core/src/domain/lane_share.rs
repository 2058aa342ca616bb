//! A share of the lanes: those whose events another release decides.

use std::{fmt, str::FromStr};

use super::{LANES, Lane};

/// The first so many lanes: at least one, never all. A lane is a hash of the event's subject, so a share of the lanes is about
/// that share of the subjects, always the same ones, and a larger share contains each smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneShare(i16);

impl LaneShare {
    /// The share that is nearest to a percentage, from 1 to 99.
    pub fn of_percent(percent: u8) -> Option<LaneShare> {
        if !(1..=99).contains(&percent) {
            return None;
        }
        let lanes = (i32::from(percent) * i32::from(LANES) + 50) / 100;
        i16::try_from(lanes.max(1)).ok().and_then(LaneShare::of_lanes)
    }

    /// So many lanes, if that is a share of them.
    pub fn of_lanes(lanes: i16) -> Option<LaneShare> {
        (1..LANES).contains(&lanes).then_some(LaneShare(lanes))
    }

    /// The number of its lanes.
    pub fn lanes(self) -> i16 {
        self.0
    }

    /// Whether a lane belongs to it.
    pub fn has(self, lane: Lane) -> bool {
        lane.0 < self.0
    }
}

impl FromStr for LaneShare {
    type Err = String;

    fn from_str(text: &str) -> Result<LaneShare, String> {
        let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
        percent
            .and_then(LaneShare::of_percent)
            .ok_or_else(|| "expected a whole percentage from 1% to 99%, for example 10%".to_owned())
    }
}

/// For example `6 of 64 lanes (9.4 %)`.
impl fmt::Display for LaneShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LaneShare(lanes) = *self;
        write!(f, "{lanes} of {LANES} lanes ({:.1} %)", f64::from(lanes) * 100.0 / f64::from(LANES))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeSet;

    use super::*;

    fn lanes(share: LaneShare) -> BTreeSet<i16> {
        (0..LANES).filter(|lane| share.has(Lane(*lane))).collect()
    }

    #[test]
    fn a_larger_share_contains_each_smaller_one() {
        let mut before = BTreeSet::new();
        for percent in 1..=99 {
            let share = LaneShare::of_percent(percent).unwrap();
            let now = lanes(share);
            assert_eq!(now.len(), usize::try_from(share.lanes()).unwrap());
            assert!(now.is_superset(&before), "{percent} % takes lanes back");
            assert!(!now.is_empty() && now.len() < 64, "{percent} % is {} lanes", now.len());
            let off = f64::from(share.lanes()) - f64::from(percent) * 0.64;
            assert!(off.abs() <= 0.5, "{percent} % is {share}");
            before = now;
        }
    }

    #[test]
    fn it_is_written_as_a_percentage() {
        let words = |text: &str| text.parse::<LaneShare>().map(|share| share.to_string());
        assert_eq!(words("10%").unwrap(), "6 of 64 lanes (9.4 %)");
        assert_eq!(words("1%").unwrap(), "1 of 64 lanes (1.6 %)");
        assert_eq!(words("50%").unwrap(), "32 of 64 lanes (50.0 %)");
        assert_eq!(words("99%").unwrap(), "63 of 64 lanes (98.4 %)");
        for wrong in ["", "10", "0%", "100%", "-1%", "1.5%", "10 %", "%", "300%", "ten%"] {
            assert!(words(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(LaneShare::of_lanes(0), None);
        assert_eq!(LaneShare::of_lanes(64), None);
    }
}
