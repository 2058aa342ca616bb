//! Drives the built program, and the private PostgreSQL, from outside. One binary, so that it links once.

mod authors;
mod clashes;
mod command_line;
mod connections;
mod console;
mod database_gone;
mod delivery;
mod demo;
mod deploy;
mod faces;
mod failed;
mod flow;
mod forms;
#[allow(dead_code, reason = "shared with the fault suite, which uses more of it")]
mod harness;
mod hosts;
mod intake;
mod large;
mod metrics;
mod numbers;
mod plugins;
mod postgres;
mod pressure;
mod quiet;
mod receipts;
mod retention;
mod rooms;
mod rules_at_run_time;
mod schedules;
mod set_up;
mod simulated_errors;
mod system_events;
mod templates;
mod unsent;
mod wishes;
