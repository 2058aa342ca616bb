//! What an activation comes to, given what is active. Pure.

use hookswitch_core::domain::LaneShare;

use crate::{
    releases::short,
    store::{Activation, ActivationShare, ActivationWay, NewActivation},
};

/// What is to be active next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// The release that decides for all lanes but those of a share.
    pub release: String,
    /// Whether its cases failed, and it was activated all the same.
    pub forced: bool,
    /// The release that decides for a share of the lanes.
    pub share: Option<ActivationShare>,
}

impl Next {
    /// Whether cases fail of what is activated.
    pub fn is_forced(&self) -> bool {
        self.share.as_ref().map_or(self.forced, |share| share.forced)
    }

    /// The activation to store, after the one at that place.
    pub fn activation<'a>(
        &'a self,
        who: &'a str,
        way: ActivationWay,
        reason: Option<&'a str>,
        after: i64,
    ) -> NewActivation<'a> {
        let (release, forced, share) = (&self.release, self.forced, self.share.as_ref());
        NewActivation { release, who, way, forced, reason, share, after }
    }
}

/// Why a release cannot decide for a share of the lanes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotActivated {
    /// No release is active that could decide for the rest.
    #[error("no release is active that could decide for the rest")]
    NothingBeside,
    /// It is the active release.
    #[error("the release {} is the active one already; a share only grows", short(.0))]
    IsActive(String),
    /// Another release decides for a share.
    #[error("the release {} decides for {lanes}; complete that or roll it back first", short(.release))]
    OtherShare {
        /// That release.
        release: String,
        /// Its lanes.
        lanes: LaneShare,
    },
    /// It decides for a larger share.
    #[error("the release {} decides for {lanes} already; a share only grows", short(.release))]
    Smaller {
        /// The release.
        release: String,
        /// Its lanes.
        lanes: LaneShare,
    },
}

/// What is to be active next if this release is to decide for a share of the lanes, or for all of them; `None` if nothing
/// changes. `are_failing` says whether its cases fail.
///
/// # Errors
/// If a share would not be a share, or not grow.
pub(super) fn next(
    last: Option<&Activation>,
    release: &str,
    share: Option<LaneShare>,
    are_failing: bool,
) -> Result<Option<Next>, NotActivated> {
    let Some(lanes) = share else {
        let is_active = last.is_some_and(|last| last.release == release && last.share.is_none());
        let whole = || Next { release: release.to_owned(), forced: are_failing, share: None };
        return Ok((!is_active).then(whole));
    };
    let last = last.ok_or(NotActivated::NothingBeside)?;
    match &last.share {
        Some(other) if other.release != release => {
            return Err(NotActivated::OtherShare { release: other.release.clone(), lanes: other.lanes });
        }
        Some(own) if lanes < own.lanes => {
            return Err(NotActivated::Smaller { release: release.to_owned(), lanes: own.lanes });
        }
        Some(own) if lanes == own.lanes => return Ok(None),
        None if last.release == release => return Err(NotActivated::IsActive(release.to_owned())),
        Some(_) | None => {}
    }
    let share = ActivationShare { release: release.to_owned(), lanes, forced: are_failing };
    Ok(Some(Next { release: last.release.clone(), forced: last.forced, share: Some(share) }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use jiff::Timestamp;

    use super::*;

    fn lanes(number: i16) -> LaneShare {
        LaneShare::of_lanes(number).unwrap()
    }

    fn active(release: &str, share: Option<(&str, i16)>) -> Activation {
        Activation {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            release: release.to_owned(),
            who: "ops".to_owned(),
            way: "activate".to_owned(),
            forced: false,
            reason: None,
            share: share.map(|(release, number)| ActivationShare {
                release: release.to_owned(),
                lanes: lanes(number),
                forced: false,
            }),
        }
    }

    fn to(
        last: Option<&Activation>,
        release: &str,
        share: Option<i16>,
    ) -> Result<Option<String>, NotActivated> {
        let next = next(last, release, share.map(lanes), false)?;
        Ok(next.map(|next| match next.share {
            Some(share) => format!("{} beside {}: {}", share.release, next.release, share.lanes.lanes()),
            None => next.release,
        }))
    }

    #[test]
    fn a_share_begins_grows_and_is_completed() {
        let old = active("old", None);
        assert_eq!(to(Some(&old), "new", Some(6)).unwrap().unwrap(), "new beside old: 6");
        let some = active("old", Some(("new", 6)));
        assert_eq!(to(Some(&some), "new", Some(13)).unwrap().unwrap(), "new beside old: 13");
        assert_eq!(to(Some(&some), "new", Some(6)).unwrap(), None);
        assert_eq!(to(Some(&some), "new", None).unwrap().unwrap(), "new");
        // Back to the old one, or on to a third.
        assert_eq!(to(Some(&some), "old", None).unwrap().unwrap(), "old");
        assert_eq!(to(Some(&some), "third", None).unwrap().unwrap(), "third");
        assert_eq!(to(Some(&old), "old", None).unwrap(), None);
        assert_eq!(to(None, "first", None).unwrap().unwrap(), "first");
    }

    #[test]
    fn a_share_never_shrinks_and_there_is_only_one() {
        let some = active("old", Some(("new", 6)));
        assert!(matches!(to(Some(&some), "new", Some(5)), Err(NotActivated::Smaller { .. })));
        let other = to(Some(&some), "third", Some(5)).unwrap_err();
        assert_eq!(
            other.to_string(),
            "the release new decides for 6 of 64 lanes (9.4 %); complete that or roll it back first"
        );
        assert!(matches!(to(Some(&some), "old", Some(5)), Err(NotActivated::OtherShare { .. })));
        assert!(matches!(to(Some(&active("old", None)), "old", Some(5)), Err(NotActivated::IsActive(_))));
        assert_eq!(to(None, "first", Some(5)), Err(NotActivated::NothingBeside));
    }

    #[test]
    fn that_cases_failed_is_kept_for_each_of_the_two() {
        let forced = Activation { forced: true, ..active("old", None) };
        let next = next(Some(&forced), "new", Some(lanes(6)), false).unwrap().unwrap();
        assert!(next.forced && !next.share.as_ref().unwrap().forced && !next.is_forced());
    }
}
