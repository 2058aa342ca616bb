//! The system's own events, and what keeps its logs in order.
//!
//! Events: they are appended to the event log as any other, and go through the same routes, scripts
//! and templates.
//!
//! Each has an id made from what it tells of, and the source [`SOURCE`]: the event log's key lets each be there once,
//! whichever host tells it and however often.

mod answers;
mod duties;
mod emit;
mod erasure;
mod failures;
mod plugins;
mod retention;
mod rule_failures;
mod schedule;
mod secrets;
mod tally;

pub use answers::{WHATSAPP, answer, answer_type, preference_set, preference_type};
pub use duties::do_duties;
pub use emit::{
    RULE_FAILED, SOURCE, SystemEvent, TemplateStatus, fingerprint, new_events, number_quality_changed,
    template_status_changed,
};
pub use erasure::names;
pub use plugins::tell_parked;
pub use retention::prune;
pub use schedule::{Scheduler, fired_at};
pub use tally::tally;
