//! Rules decide about events: plain routes, Rhai scripts and plugins, with one contract.
//!
//! Goals: the same event, the same release and the same answers of the ports give the same verdicts, byte for byte; no
//! rule can bring the host down, stall it beyond its budget, or affect another rule; an author is told what went wrong,
//! in which file, at which line and column.
//!
//! One [`Routes`] is shared by all threads without a lock: the engine and the syntax trees never change, and each call
//! has its own scope. An event is converted to Rhai's values once for all rules.
//!
//! Rejected: a pool of engines (nothing to pool); a scope kept between calls (a rule could leave something behind for the
//! next event); Rhai's own limits alone (they do not count all values together).

mod answer;
mod budget;
mod calls;
mod diagnosis;
mod digest;
mod engine;
mod expression;
mod habits;
mod helpers;
mod kinds;
mod lets;
mod library;
mod memory;
mod nothing;
mod operators;
mod path;
pub mod plugin;
mod ports;
mod replay;
mod reply;
mod route;
mod route_source;
mod routes;
mod script;
mod source;
mod tags;
mod test_message;
mod unfolding;
mod value;
mod withdrawal;
mod words;

#[cfg(test)]
mod tests;

pub use crate::domain::DIGEST_TYPE;
pub use answer::{
    KEYS, NOT_COLLECTED, PEOPLE, at_most, collect, collect_parts, hours, keys_between, kind_of, mode,
    priority,
};
pub use library::{FOLDER as LIBRARY, is_of as is_of_library};
pub use ports::{Ports, StandIns};
pub use replay::Replay;
pub use route_source::{
    CancelSource, CollectSource, LetSource, Marked, OtherwiseSource, PlainSource, RouteSource, RuleSource,
    SendSource, ValueSource,
};
pub use routes::Routes;
pub use source::{Place, RuleError, Source};
pub use test_message::TEST_TYPE;

use crate::domain::{Event, Verdict};
pub use crate::words::{duration, timestamp};

/// Decides about an event: returns the verdicts of each matching route, in order. Never empty: an event without a
/// matching route has the verdict [`NoRoute`](crate::domain::Outcome::NoRoute). Blocks for as long as plugins run, up to
/// their limits.
pub fn decide(routes: &Routes, event: &Event, ports: &dyn Ports) -> Vec<Verdict> {
    if event.kind == TEST_TYPE {
        return vec![test_message::verdict(event)];
    }
    if event.kind == DIGEST_TYPE {
        return vec![digest::verdict(event)];
    }
    routes.decide(event, ports)
}
