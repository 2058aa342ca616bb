//! Drives the built program, and the private PostgreSQL, from outside. One binary, so that it links once.

mod demo;
mod flow;
mod harness;
mod intake;
mod postgres;
mod receipts;
mod rooms;
