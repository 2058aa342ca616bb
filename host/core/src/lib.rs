//! The core of Hookswitch: its values, how rules decide about an event, how messages are planned and rendered, and the
//! catalog that authors' files are compiled to.
//!
//! The crate depends on no database driver and no HTTP library, so nothing in it can reach one; rules ask their host through
//! the ports of `decide`.
//!
//! # Rooms
//!
//! As in the host: a room uses only rooms listed above it, and rooms in the same block do not use each other. `domain`,
//! `words`, `decide`, `plan`, `compare` and `recorded` are given the time and never read it.

pub mod domain;

pub mod bounds;

pub mod words;

pub mod decide;
pub mod plan;

pub mod compare;
pub mod recorded;

pub mod catalog;
