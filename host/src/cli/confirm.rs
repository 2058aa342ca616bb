//! Confirmation: one question, asked in one way.

use std::io::{IsTerminal, Write, stderr, stdin};

use clap::Args;

/// `--yes`, for commands that ask.
#[derive(Args, Clone, Copy, Debug)]
pub struct Confirmation {
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

impl Confirmation {
    /// Asks on the terminal, by standard error, unless `--yes` is given. Without a terminal the answer is no, and that is
    /// said.
    ///
    /// # Errors
    /// If the terminal cannot be read.
    pub fn confirm(self, question: &str) -> anyhow::Result<bool> {
        if self.yes {
            return Ok(true);
        }
        if !stdin().is_terminal() {
            eprintln!("{question}\nNot confirmed: no terminal to confirm on. Use --yes to confirm.");
            return Ok(false);
        }
        eprint!("{question} [y/N] ");
        stderr().flush()?;
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        let confirmed = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
        if !confirmed {
            eprintln!("Not confirmed.");
        }
        Ok(confirmed)
    }
}
