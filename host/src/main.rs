//! `hookswitch`: arguments → one command.

use std::process::ExitCode;

use clap::Parser;
use hookswitch::cli::{Cli, output};

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            output::error_line(format_args!("error: failed to {error:#}"));
            ExitCode::FAILURE
        }
    }
}
