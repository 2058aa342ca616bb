//! `hookswitch`: arguments → one command.

use std::process::ExitCode;

use clap::Parser;
use hookswitch::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: failed to {error:#}");
            ExitCode::FAILURE
        }
    }
}
