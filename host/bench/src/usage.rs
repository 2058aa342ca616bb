//! What processes use of the machine: read from `/proc`.

use std::{collections::HashMap, fs};

/// CPU seconds that a process and its descendants have used so far, and resident memory in MiB of the process
/// alone. Zero where there is no `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time of the whole tree, of processes that still live.
    pub cpu_seconds: f64,
    /// Resident memory of the process itself.
    pub resident_mib: f64,
}

/// The clock ticks of `/proc/PID/stat`; 100 on all Linux systems (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// What the process uses.
pub fn usage(pid: u32) -> Usage {
    let mut parents: HashMap<u32, (u32, f64)> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in brackets may hold anything; the numbers stand after it.
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        parents.insert(id, (number(1) as u32, (number(11) + number(12)) / TICKS_PER_SECOND));
    }
    let belongs = |mut id: u32| {
        while id > 1 {
            if id == pid {
                return true;
            }
            id = parents.get(&id).map_or(0, |(parent, _)| *parent);
        }
        false
    };
    let cpu_seconds = parents.iter().filter(|(id, _)| belongs(**id)).map(|(_, (_, cpu))| cpu).sum();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
    Usage { cpu_seconds, resident_mib: kib.unwrap_or(0.0) / 1024.0 }
}

/// How often the threads of a process have begun to run after a wait. Zero where there is no `/proc`.
pub fn wake_ups(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| {
            let status = fs::read_to_string(task.path().join("status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            line.trim().parse::<f64>().ok()
        })
        .sum()
}
