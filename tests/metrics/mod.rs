//! The listener for operators, and what a monitoring system reads from it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alerts;
mod counters;
mod listener;
mod scrape;
mod tally;
