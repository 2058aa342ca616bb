//! The systemd unit: what a host may take and do there.

use std::collections::BTreeMap;

use super::read;

/// The last value of each setting of the unit, by section and name.
fn unit() -> BTreeMap<(String, String), String> {
    let mut section = "";
    let mut found = BTreeMap::new();
    let text = read("deploy/hookswitch.service");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no setting: {line}"));
            found.insert((section.to_owned(), name.to_owned()), value.to_owned());
        }
    }
    found
}

#[test]
fn the_unit_gives_the_host_time_to_finish_and_lets_plugins_be_compiled() {
    let unit = unit();
    let service = |name: &str| unit[&("Service".to_owned(), name.to_owned())].as_str();
    assert_eq!(service("ExecStart"), "/usr/local/bin/hookswitch serve");
    assert_eq!(service("EnvironmentFile"), "/etc/hookswitch/hookswitch.env");
    assert_eq!(service("MemoryDenyWriteExecute"), "no");
    assert!(service("TimeoutStopSec").parse::<u32>().unwrap() > 10);
    assert!(unit[&("Unit".to_owned(), "After".to_owned())].contains("postgresql.service"));
}

#[test]
fn the_unit_limits_what_a_host_takes_and_keeps_its_memory_out_of_files() {
    let unit = unit();
    let service = |name: &str| unit[&("Service".to_owned(), name.to_owned())].as_str();
    assert_eq!(service("LimitCORE"), "0");
    assert_eq!(service("CapabilityBoundingSet"), "");
    for (name, value) in [
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("PrivateDevices", "yes"),
        ("UMask", "0077"),
    ] {
        assert_eq!(service(name), value, "{name}");
    }
    assert!(service("MemoryMax").ends_with('G'));
    assert!(service("TasksMax").parse::<u32>().unwrap() >= 1_024, "too few for a host under load");
}
