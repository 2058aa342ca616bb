//! Hookswitch: a programmable notification switch. Events come in over HTTP, rules decide who hears about
//! them and what they are told, and a worker delivers it on WhatsApp.
//!
//! ```text
//! POST /v1/events → intake → EVENT LOG → routing (decide, plan) → NOTIFICATION LOG → dispatch → Cloud API
//!                                                                       DELIVERY LOG ← dispatch, receipts
//! ```
//!
//! The logs are the state: rows are appended and never updated. What a notification's status is, what was routed
//! and how far a lane is sent is read from them.
//!
//! # Rooms
//!
//! What rules mean is a crate of its own, `hookswitch-core`: it depends on no database driver and no HTTP library. The
//! stand-in for the Cloud API is another, `hookswitch-simulator`, behind the feature `simulator`.
//!
//! The modules below stand in the order of the flow. A use points from a room to one listed above it, never back;
//! rooms between two blank lines do not know each other. A test reads the sources and holds this.
//!
//! # Invariants
//!
//! 1. An event that got 202 survives `kill -9` of every process, and is routed exactly once.
//! 2. A notification is sent, or its history says why not. Negative decisions are recorded too.
//! 3. A rule cannot take the host down, stall it past its budget, or reach what it was not given.
//! 4. No lock is held across a script's call or an await.
//! 5. The same event and the same release give the same decisions, given the recorded answers of the world.
//! 6. All SQL is in `store`, all of Meta's JSON in `whatsapp` (and in its stand-in); only `app`
//!    builds the service; only `config` reads the environment.
//! 7. Secrets never reach a log, an error, or the database in clear.
//! 8. A change to the catalog is all or nothing: it compiles, its cases pass, then it is live in one swap.

pub mod config;

pub mod metrics;

pub mod traces;

pub(crate) mod outbound;

pub mod store;

pub(crate) mod lanes;

pub(crate) mod whatsapp;

pub(crate) mod system;

pub(crate) mod templates;

pub(crate) mod releases;

pub(crate) mod commit;

pub mod http;

pub mod intake;

pub(crate) mod directory;
pub mod receipts;
pub(crate) mod routing;

pub(crate) mod dispatch;

pub(crate) mod check;

pub(crate) mod operate;

pub mod console;

pub mod postgres;

pub(crate) mod api;

pub(crate) mod parts;
pub(crate) mod telemetry;

pub mod app;

pub mod cli;
