//! Write Hookswitch plugins in Rust: decide who hears about an event, and what they are told.
//!
//! A plugin is a function from an event to an answer. This is a whole one:
//!
//! ```
//! use hookswitch_sdk::{Answer, Decision, Event, router, skip};
//!
//! #[derive(serde::Deserialize)]
//! struct Alarm {
//!     level: u8,
//! }
//!
//! fn decide(event: Event<Alarm>) -> Answer {
//!     if event.data.level < 3 {
//!         return skip("a small alarm");
//!     }
//!     Decision::new("alarm").group("Technical Admin").var("level", event.data.level).into()
//! }
//!
//! router!(decide);
//! # fn main() {}
//! ```
//!
//! It is built for `wasm32-wasip2` and runs in a sandbox: no files, no network but [`http`] to the addresses that its
//! manifest allows, no clock but [`now`]. What it asks of the world is recorded with the decision.
//! In tests on your machine, a [`testing::World`] stands in for the host.

mod answer;
#[doc(hidden)]
pub mod bindings;
mod event;
#[doc(hidden)]
pub mod glue;
pub mod http;
pub mod testing;
mod world;

pub use answer::{Answer, Decision, Failure, IntoAnswer, Mode, Priority, skip};
pub use event::Event;
pub use world::{Level, config, log, lookup, now};

/// Makes a function the plugin's router: the one that is asked about each event.
///
/// The function takes an [`Event`] of a type of your own, and gives whatever [`IntoAnswer`] can turn into an answer.
///
/// ```
/// use hookswitch_sdk::{Decision, Event, router};
///
/// fn decide(event: Event<serde_json::Value>) -> Result<Decision, String> {
///     let name = event.data["name"].as_str().ok_or("no name")?;
///     Ok(Decision::new("welcome").group("Sales Team").var("name", name))
/// }
///
/// router!(decide);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! router {
    ($decide:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Router;

            impl $crate::bindings::exports::hookswitch::plugin::router::Guest for Router {
                fn decide(
                    event: $crate::bindings::hookswitch::plugin::types::Event,
                ) -> Result<
                    $crate::bindings::hookswitch::plugin::types::Answer,
                    $crate::bindings::hookswitch::plugin::types::Failure,
                > {
                    $crate::glue::decide(event, $decide)
                }
            }

    $crate::bindings::export!(Router with_types_in $crate::bindings);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            #[allow(dead_code)]
            fn is_a_router() {
                $crate::glue::check($decide);
            }
        };
    };
}
