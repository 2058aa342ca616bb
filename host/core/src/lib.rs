//! What rules mean: the values, how it is decided who hears of an event, what they are told, and the catalog that an author's
//! folder is compiled to.
//!
//! The crate depends on no database driver and no HTTP library, so nothing in it can reach one; what a rule asks of the
//! world is asked through `decide`'s ports.
//!
//! # Rooms
//!
//! As in the host: a use points from a room to one listed above it; rooms between two blank lines do not know each other.
//! `domain`, `decide` and `plan` are given the time and never read it.

pub mod domain;

pub mod bounds;

pub mod decide;
pub mod plan;

pub mod catalog;
