//! The compiler of plugins, in a process of its own. Hidden: the program runs itself so.

use std::process::ExitCode;

use clap::Args;
use hookswitch_core::decide::plugin::{self, Allowance, Mode};

pub use hookswitch_core::decide::plugin::COMMAND as COMPILE;

/// What compiling may take, and how the engine is set up.
#[derive(Args, Clone, Copy, Debug)]
pub struct CompileArgs {
    /// CPU time of all threads, in seconds.
    #[arg(long)]
    cpu_seconds: u64,
    /// Resident memory, in MiB.
    #[arg(long)]
    memory_mib: u64,
    /// For an engine that counts instructions.
    #[arg(long)]
    measures: bool,
    /// For an engine without what not every kernel has.
    #[arg(long)]
    plain: bool,
}

/// Compiles what comes on standard input.
pub fn compile(args: &CompileArgs) -> ExitCode {
    let CompileArgs { cpu_seconds, memory_mib, measures, plain } = *args;
    plugin::compile(Mode { measures, plain }, Allowance { cpu_seconds, memory_mib })
}
