//! What is scarce: connections to PostgreSQL, threads, address space. What one kind of work does with them is nobody
//! else's failure.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod parts;
mod pools;
mod ready;
