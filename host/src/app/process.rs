//! The values of this process that every monitoring system knows.

use std::{fmt, fs};

use jiff::Timestamp;
use nix::sys::{
    resource::{Resource, UsageWho, getrlimit, getrusage},
    time::TimeValLike,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// Reads the values at each scrape; what the system does not tell is left out.
#[derive(Debug)]
pub(super) struct Process {
    started: Timestamp,
}

impl Process {
    pub(super) fn new() -> Process {
        Process { started: Timestamp::now() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: f64| {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)
        };
        gauge(
            "process_start_time_seconds",
            "When the process started, in Unix time",
            self.started.as_duration().as_secs_f64(),
        )?;
        if let Some(bytes) = resident() {
            gauge("process_resident_memory_bytes", "Resident memory", bytes)?;
        }
        if let Some(files) = open_files() {
            gauge("process_open_fds", "Open file descriptors", files)?;
        }
        if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
            gauge("process_max_fds", "Maximum number of open file descriptors", soft as f64)?;
        }
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
            let used = usage.user_time() + usage.system_time();
            let help = "CPU time, user and system";
            let metric = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
            ConstCounter::new(used.num_microseconds() as f64 / 1e6).encode(metric)?;
        }
        Ok(())
    }
}

fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Without the one that reads the list.
fn open_files() -> Option<f64> {
    let files = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(files.saturating_sub(1) as f64)
}
