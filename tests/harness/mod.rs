//! What a test from outside needs: a database of its own on a cluster that all share, and processes of the built
//! program that end with the test.
//!
//! ```ignore
//! let stage = Stage::builder().rules(&[("any/templates/note.j2", NOTE)]).start().await;
//! let id = stage.decide(json!({"template": "note", "contacts": ["15550100001"]})).await;
//! stage.notification(&id, "read").await;
//! assert_eq!(stage.simulator.messages().await.len(), 1);
//! ```
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod component;
mod described;
mod host;
mod process;
mod simulator;
mod stage;
mod wait;

pub use cluster::Database;
pub use component::{CACHE, component};
pub use described::{assert_described, description, misfits};
pub use host::{Host, create_key, free_port, http, rules, write_file, write_rule};
pub use process::{Process, program};
pub use simulator::Simulator;
pub use stage::{Builder, Stage, TEXT};
pub use wait::{SOON, wait_until};
