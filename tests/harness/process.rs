//! A process of the built program.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Instant,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::SOON;

/// A process that serves on a port of this machine. It is killed with the test, and what it said is shown where
/// the test fails.
pub struct Process {
    child: Child,
    url: String,
    said: Arc<Mutex<String>>,
}

impl Process {
    /// Starts it and waits until it says that it listens.
    #[track_caller]
    pub fn start(mut command: Command) -> Process {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, first) = mpsc::channel();
        follow(child.stderr.take().unwrap(), &said, None);
        follow(child.stdout.take().unwrap(), &said, Some(lines));
        let mut process = Process { child, url: String::new(), said };
        let line = first.recv_timeout(SOON).unwrap_or_else(|_| panic!("{command:?} says nothing"));
        let Some(url) = line.strip_prefix("listening on ") else { panic!("{command:?} says first: {line}") };
        process.url = url.trim_end().to_owned();
        process
    }

    /// Its address, such as `http://127.0.0.1:49152`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of a host's admin listener, which it names on its second line.
    #[track_caller]
    pub fn admin_url(&self) -> String {
        let give_up = Instant::now() + SOON;
        loop {
            let said = self.said();
            let line = said.lines().find_map(|line| line.strip_prefix("metrics on "));
            if let Some(url) = line.and_then(|line| line.strip_suffix("/metrics")) {
                return url.to_owned();
            }
            assert!(Instant::now() < give_up, "it names no admin listener:\n{said}");
            thread::yield_now();
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has said so far, on both of its outputs.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> ExitStatus {
        // Where it is gone already, waiting tells how.
        let _ = self.child.kill();
        self.child.wait().unwrap()
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// SIGTERM, as a service manager stops it; waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            println!("--- the process {} said:\n{}---", self.child.id(), self.said());
        }
    }
}

/// Reads an output to its end, so that the process never waits for us.
fn follow(
    output: impl Read + Send + 'static,
    said: &Arc<Mutex<String>>,
    lines: Option<mpsc::Sender<String>>,
) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(&line);
            said.push('\n');
            if let Some(lines) = &lines {
                // Only the first line is waited for.
                let _ = lines.send(line);
            }
        }
    });
}

/// The built program, with nothing of our environment: the settings of whoever runs the tests are not theirs.
pub fn program(arguments: &[&str]) -> Command {
    program_under(&[], arguments)
}

/// The same, started by another program with its arguments.
pub fn program_under(under: &[&str], arguments: &[&str]) -> Command {
    let mut words = under.iter().chain([&env!("CARGO_BIN_EXE_hookswitch")]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command.env_clear().env("RUST_BACKTRACE", "1").args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn it_knows_where_a_process_listens_and_ends_it() {
        let script = "trap 'exit 3' TERM; echo listening on http://127.0.0.1:1; echo and more >&2; while :; do sleep 0.01; done";
        let mut process = Process::start(shell(script));
        assert_eq!(process.url(), "http://127.0.0.1:1");
        while !process.said().contains("and more") {
            thread::yield_now();
        }
        assert_eq!(process.terminate().code(), Some(3));

        let pid = Pid::from_raw(Process::start(shell(script)).id().cast_signed());
        assert!(kill(pid, None).is_err(), "it outlives its test");
    }

    #[test]
    #[should_panic(expected = "says first: no")]
    fn one_that_does_not_listen_fails_the_test() {
        Process::start(shell("echo no"));
    }
}
