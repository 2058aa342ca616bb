//! Rules decide about events: plain routes and Rhai scripts, one contract.
//!
//! Goals: the same event, the same release and the same answers of the ports give the same verdicts, byte for
//! byte; no rule can take the host down, stall it past its budget, or spoil another rule; an author reads what
//! went wrong, in which file, at which line and column.
//!
//! One [`Routes`] is shared by all threads without a lock: the engine and the syntax trees never change, each
//! call has a scope of its own. An event is converted to Rhai's values once for all rules.
//!
//! Rejected: a pool of engines (there is nothing to pool); a scope kept between calls (a rule could leave
//! something behind for the next event); Rhai's own bounds as the only ones (they do not see all values together).

mod answer;
mod budget;
mod calls;
mod diagnosis;
mod digest;
mod engine;
mod expression;
mod helpers;
mod memory;
pub mod plugin;
mod ports;
mod replay;
mod route;
mod routes;
mod script;
mod source;
mod test_message;
mod unfolding;
mod value;

#[cfg(test)]
mod tests;

pub use crate::domain::DIGEST_TYPE;
pub use answer::{KEYS, collect, duration, keys_between, kind_of, mode, priority, timestamp};
pub use ports::{Ports, StandIns};
pub use replay::Replay;
pub use route::{PlainSource, RouteSource, RuleSource, SendSource, ValueSource};
pub use routes::Routes;
pub use source::{Place, RuleError, Source, closest, did_you_mean};
pub use test_message::TEST_TYPE;

use crate::domain::{Event, Verdict};

/// Decides about an event: one verdict for each matching route, in order, more where a script gives more. Never
/// empty: an event that no route is for has the verdict [`NoRoute`](crate::domain::Outcome::NoRoute). A plugin may take
/// as long as its limits say: call it from a thread that may block.
pub fn decide(routes: &Routes, event: &Event, ports: &dyn Ports) -> Vec<Verdict> {
    if event.kind == TEST_TYPE {
        return vec![test_message::verdict(event)];
    }
    if event.kind == DIGEST_TYPE {
        return vec![digest::verdict(event)];
    }
    routes.decide(event, ports)
}
