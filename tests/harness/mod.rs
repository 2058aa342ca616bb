//! What a test from outside needs: a database of its own on a cluster that all share, and processes of the built
//! program that end with the test.
//!
//! ```ignore
//! let database = Database::create().await;
//! let port = free_port();
//! let simulator = Simulator::start(port, &[]);
//! let host = Host::start(port, &database, &simulator, &rules(), &[]);
//! host.post_event(&json!({"type": "order.created", "data": {}})).await;
//! wait_until("one message", SOON, async || simulator.messages().await.len() == 1).await;
//! ```
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod host;
mod process;
mod simulator;
mod wait;

pub use cluster::Database;
pub use host::{Host, create_key, free_port, http, rules, write_rule};
pub use process::program;
pub use simulator::Simulator;
pub use wait::{SOON, wait_until};
