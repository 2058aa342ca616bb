//! Tries inputs in this process, which may end of them.

use std::{fs, io::Write, path::Path};

use hookswitch_core::{
    catalog::{self, CatalogPorts, Folders},
    decide::decide,
    domain::{Event, EventKey, Senders},
    plan::Planner,
};
use jiff::Timestamp;
use nix::sys::resource::{Resource, setrlimit};
use serde_json::{json, value::RawValue};

use crate::generate::{Input, input};

/// Address space, in bytes: a stack for authors' work and the allocator's arenas take most of it, unused.
const ADDRESSES: u64 = 6 << 30;
/// The most that may be resident, in MiB.
const RESIDENT: u64 = 300;

/// Tries inputs without end, from a seed on.
pub fn run(target: &str, seed: u64) {
    setrlimit(Resource::RLIMIT_AS, ADDRESSES, ADDRESSES).unwrap();
    for seed in seed.. {
        println!("{seed}");
        std::io::stdout().flush().unwrap();
        attempt(&input(target, seed));
        let resident = resident();
        assert!(resident < RESIDENT, "{resident} MiB are resident");
    }
}

fn attempt(input: &Input) {
    let folder = tempfile::tempdir().unwrap();
    for (file, bytes) in &input.files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let plugins = folder.path().join("plugins");
    let folders = Folders {
        plugins: plugins.is_dir().then_some(plugins),
        ..Folders::from(Path::new(&folder.path().join("rules")))
    };
    let catalog = match catalog::load(&folders) {
        Ok(catalog) => catalog,
        Err(findings) => {
            let words = findings.to_string();
            assert!(!words.is_empty() && words.len() < 1_000_000, "{} bytes of findings", words.len());
            return;
        }
    };
    let now: Timestamp = "2026-01-05T09:00:00Z".parse().unwrap();
    for data in [json!({}), json!({"text": "x".repeat(200_000), "n": 99_999_999, "list": vec!["y"; 5_000]})] {
        let event = Event {
            key: EventKey { id: "1".into(), source: "/fuzz".into() },
            kind: "a".into(),
            subject: None,
            time: now,
            data: RawValue::from_string(data.to_string()).unwrap(),
            extensions: None,
        };
        for verdict in decide(&catalog.routes, &event, &CatalogPorts { catalog: &catalog, now }) {
            let people = catalog.made_up_people(std::slice::from_ref(&verdict));
            let planner = Planner {
                templates: &catalog.templates,
                senders: &Senders::any(),
                in_use: None,
                people: &people,
                now,
            };
            let planned = planner.plan(&event, &verdict);
            let reason = planned.reason.unwrap_or_default().len();
            assert!(reason < 64 * 1024, "a reason of {reason} bytes");
        }
    }
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
