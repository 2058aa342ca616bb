//! Write Hookswitch plugins in Rust: decide who is notified about an event, and how.
//!
//! A plugin is a function from an event to an answer. A complete plugin:
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
//! Plugins are built for `wasm32-wasip2` and run in a sandbox: without files, without a network except for [`http`]
//! requests that are allowed, and without a clock except for [`now`]. What a plugin asks of the host is recorded with its
//! decision. In tests on your machine, a [`testing::World`] takes the place of the host.

mod answer;
#[doc(hidden)]
pub mod bindings;
mod event;
#[doc(hidden)]
pub mod glue;
pub mod http;
pub mod testing;
mod world;

pub use answer::{Answer, Decision, Failure, IntoAnswer, Mode, Otherwise, Priority, cancel, skip};
pub use event::Event;
pub use world::{Level, config, log, lookup, now};

/// Makes a function the router of the plugin: the host calls it for each event.
///
/// The function takes an [`Event`] with a payload of your own type, and returns a type that implements [`IntoAnswer`].
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
