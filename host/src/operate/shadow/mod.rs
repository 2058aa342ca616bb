//! Shadows: a release decides beside the live one about live events, and sends nothing.
//!
//! It never is in the way of the live release: a host follows the event log from behind, on one thread that yields to all others
//! and one connection of its own, and looks at events only when they have been decided. Each is decided once more by the release
//! that is tried, with the answers that the live one got, and the messages of both are compared, as in a replay. If the rules
//! are slow, only the shadow falls behind.
//!
//! One host at a time is at it: deduplication keys are about the events of all lanes, and so no event is counted twice. It
//! stores what it has found together with the places in the log, so that another host carries it on from there.

mod limits;
mod report;
mod run;

pub use self::{
    limits::CleanLimits,
    report::{NewShadow, NoShadow, ShadowDetail, ShadowReport},
    run::run_shadows,
};
