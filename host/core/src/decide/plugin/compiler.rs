//! Compiles a component in a separate process: hostile code can make a compiler use any amount of time and memory.
//!
//! The child is this program again. It reads the component from standard input, writes compiled code to standard output,
//! has an empty environment and opens no files. It watches its usage and exits beyond its allowance, which grows with the
//! size of the component: compilers are linear for code that people write.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{Resource, UsageWho, getrusage, setrlimit},
    signal::Signal,
    time::TimeValLike,
};

use super::{sandbox, words::line};

const MEBIBYTE: u64 = 1024 * 1024;
/// Factor by which a debug build compiles more slowly than a release build.
const SLOWNESS: u64 = if cfg!(debug_assertions) { 3 } else { 1 };
/// Interval at which the child checks its usage.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Maximum size of the compiled form, in bytes.
const COMPILED: u64 = 512 * MEBIBYTE;
/// Maximum length of a message of the compiler, in bytes.
const MESSAGE: u64 = 4_096;
const OVER_TIME: u8 = 3;
const OVER_MEMORY: u8 = 4;

/// Name of the hidden command that calls [`run`].
pub const COMMAND: &str = "compile-plugin";

/// Limits for compiling one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// CPU time of all threads, in seconds.
    pub cpu_seconds: u64,
    /// Resident memory, in MiB.
    pub memory_mib: u64,
}

impl Allowance {
    /// 10 s and 512 MiB, plus 3 s and 32 MiB for each MiB of the component; three times as long for a debug build.
    /// Python's 39 MiB took 59 s and 498 MiB in a debug build: a sixth of the time, a third of the memory.
    fn of(bytes: usize) -> Allowance {
        let mebibytes = (bytes as u64).div_ceil(MEBIBYTE) - 1;
        Allowance { cpu_seconds: (10 + 3 * mebibytes) * SLOWNESS, memory_mib: 512 + 32 * mebibytes }
    }

    /// Wall time, enough on a busy machine.
    fn on_the_wall(self) -> Duration {
        Duration::from_secs(30 + 4 * self.cpu_seconds)
    }
}

/// Settings of an engine, the same in child and parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Counts instructions.
    pub measures: bool,
    /// Avoids features that not every kernel has.
    pub plain: bool,
}

/// Why a component was not compiled; with messages.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is not a valid component.
    Invalid(String),
    /// It exceeded its allowance, and would again.
    TooMuch(String),
    /// Something else failed; it may work another time.
    Other(String),
}

/// Compiles a component in a child and writes the result to a file.
pub(super) fn compile(bytes: &[u8], mode: Mode, compiled: File) -> Result<(), Failure> {
    let allowance = Allowance::of(bytes.len());
    let other = |error: std::io::Error| Failure::Other(format!("cannot start the compiler: {error}"));
    let mut command = Command::new(own_program().map_err(other)?);
    command.arg0("hookswitch").arg(COMMAND);
    command.args(["--cpu-seconds", &allowance.cpu_seconds.to_string()]);
    command.args(["--memory-mib", &allowance.memory_mib.to_string()]);
    command.args(mode.measures.then_some("--measures")).args(mode.plain.then_some("--plain"));
    // The host's threads need processors too.
    let threads = thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
    command.env_clear().env("RAYON_NUM_THREADS", threads.to_string()).current_dir("/");
    command.stdin(Stdio::piped()).stdout(compiled).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(other)?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let (status, message) = thread::scope(|scope| {
        // Fails if the child has ended, which its status reports.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(bytes)));
        let message = scope.spawn(move || {
            let mut message = Vec::new();
            if let Some(mut stderr) = stderr {
                let _ = stderr.by_ref().take(MESSAGE).read_to_end(&mut message);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            }
            String::from_utf8_lossy(&message).into_owned()
        });
        let status = wait(&mut child, allowance.on_the_wall());
        (status, message.join().unwrap_or_default())
    });
    judged(status, &message, allowance)
}

/// The file of this program, even if it was replaced by a newer one since it was started.
fn own_program() -> std::io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}

/// Waits for a child to exit; `None` if it had to be killed.
fn wait(child: &mut Child, most: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if began.elapsed() < most => thread::sleep(Duration::from_millis(5)),
            _ => {
                // It may just have exited by itself.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

fn judged(status: Option<ExitStatus>, message: &str, allowance: Allowance) -> Result<(), Failure> {
    let Allowance { cpu_seconds, memory_mib } = allowance;
    let too_long = || Failure::TooMuch(format!("compiling took more than {cpu_seconds} CPU seconds"));
    let Some(status) = status else {
        let seconds = allowance.on_the_wall().as_secs();
        return Err(Failure::Other(format!("compiling took longer than {seconds} s")));
    };
    match (status.code().map(u8::try_from), status.signal().map(Signal::try_from)) {
        (Some(Ok(0)), _) => Ok(()),
        (Some(Ok(1)), _) => Err(Failure::Invalid(line(message.lines().next().unwrap_or_default(), 1_000))),
        (Some(Ok(OVER_TIME)), _) | (_, Some(Ok(Signal::SIGXCPU))) => Err(too_long()),
        (Some(Ok(OVER_MEMORY)), _) => {
            Err(Failure::TooMuch(format!("compiling took more than {memory_mib} MiB of memory")))
        }
        (_, Some(Ok(Signal::SIGXFSZ))) => {
            Err(Failure::TooMuch(format!("its compiled form is larger than {} MiB", COMPILED / MEBIBYTE)))
        }
        // A stack overflow, or memory that the system refused.
        (_, Some(Ok(signal @ (Signal::SIGABRT | Signal::SIGSEGV | Signal::SIGBUS)))) => {
            Err(Failure::TooMuch(format!("the compiler crashed ({signal})")))
        }
        _ => {
            let said = line(message.lines().last().unwrap_or_default(), 1_000);
            Err(Failure::Other(format!("the compiler exited with {status}: {said}")))
        }
    }
}

/// Runs the child: compiles the component on standard input. Prints only compiled code, or why there is none.
pub fn run(mode: Mode, allowance: Allowance) -> ExitCode {
    limit(allowance);
    let mut bytes = Vec::new();
    let compiled = std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(wasmtime::Error::from)
        .and_then(|_| sandbox::engine(mode)?.precompile_component(&bytes));
    match compiled {
        Ok(code) => match std::io::stdout().lock().write_all(&code) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("cannot write the compiled component: {error}");
                ExitCode::from(2)
            }
        },
        Err(error) => {
            eprintln!("{}", super::load::first_line(&error));
            ExitCode::from(1)
        }
    }
}

/// Sets limits if the system allows it (a service may not be allowed to), and watches them in any case.
fn limit(allowance: Allowance) {
    let Allowance { cpu_seconds, memory_mib } = allowance;
    let _ = setrlimit(Resource::RLIMIT_CPU, cpu_seconds + 5, cpu_seconds + 5);
    let _ = setrlimit(Resource::RLIMIT_FSIZE, COMPILED, COMPILED);
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    thread::spawn(move || {
        loop {
            if let Ok(used) = getrusage(UsageWho::RUSAGE_SELF) {
                let seconds = used.user_time().num_seconds() + used.system_time().num_seconds();
                // In KiB, except on macOS.
                let unit = if cfg!(target_os = "macos") { MEBIBYTE } else { 1_024 };
                if used.max_rss() as u64 / unit > memory_mib {
                    std::process::exit(i32::from(OVER_MEMORY));
                }
                if seconds as u64 >= cpu_seconds {
                    std::process::exit(i32::from(OVER_TIME));
                }
            }
            thread::sleep(LOOK_EVERY);
        }
    });
}
