//! Hookswitch: a programmable notification switch. Events come in over HTTP, rules decide who hears about
//! them and what they are told, and a worker delivers it on WhatsApp.
//!
//! The modules stand in the order of the flow; a use points from a room to one listed above it, or to
//! [`domain`], never back. `decide` and `plan` are pure: they never see `store`, axum or reqwest.

pub mod domain;

pub mod decide;
pub mod plan;

pub mod catalog;

pub mod config;

pub mod store;

pub mod lanes;

pub mod whatsapp;

pub mod intake;

pub mod receipts;
pub mod routing;

pub mod dispatch;

pub mod postgres;
pub mod simulator;

pub mod telemetry;

pub mod app;

pub mod cli;
