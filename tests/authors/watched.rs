//! A process whose memory and time are watched.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Longer hangs. Debug builds on busy machines are slow; what hangs would take hours.
const HANGS: Duration = Duration::from_secs(120);

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// The status; `None` where a signal ended it, as an abort does.
    pub status: Option<i32>,
    /// Both outputs, one after the other.
    pub said: String,
    /// The most memory that it had resident, in MiB.
    pub peak: u64,
}

impl Ended {
    /// It ended by itself, within memory; says this.
    #[track_caller]
    pub fn lived(&self, words: &str) -> &Self {
        let said: String = self.said.chars().take(4_000).collect();
        assert!(self.status.is_some(), "it was ended by a signal: {said}");
        assert!(self.said.contains(words), "`{words}` is missing ({:?}): {said}", self.status);
        assert!(self.peak < 300, "it had {} MiB: {said}", self.peak);
        assert!(self.said.len() < 200_000, "it said {} bytes", self.said.len());
        self
    }
}

/// Runs a command to its end.
pub fn watched(mut command: Command) -> Ended {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = [reading(child.stderr.take().unwrap()), reading(child.stdout.take().unwrap())];
    let (started, mut peak) = (Instant::now(), 0);
    let status = loop {
        peak = peak.max(resident(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > HANGS {
            child.kill().unwrap();
            panic!("it hangs: {command:?}");
        }
        thread::sleep(Duration::from_millis(5));
    };
    Ended { status: status.code(), said: said.map(|said| said.join().unwrap()).concat(), peak }
}

fn reading(mut output: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The most memory that a process had resident so far, in MiB; 0 where it has ended.
pub fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
