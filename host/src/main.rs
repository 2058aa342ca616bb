//! `hookswitch`: arguments → one command.

use std::process::ExitCode;

use clap::Parser;
use hookswitch::cli::{Cli, report};

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| report(&error))
}
