//! Drives the built program, and the private PostgreSQL, from outside.

mod postgres;
mod receipts;
