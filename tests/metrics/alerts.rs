//! The alerts and the dashboard use what there is, and the alerts raise what they are for.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::scrape::Scrape;
use crate::harness::{program, rules};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn alerts() -> Vec<serde_yaml::Value> {
    let text = fs::read_to_string(deploy().join("prometheus/alerts.yaml")).unwrap();
    let file: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    file["groups"][0]["rules"].as_sequence().unwrap().clone()
}

/// All queries of the dashboard, in whatever panel.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let own = ["expr", "definition"].into_iter().filter_map(|name| members.get(name)?.as_str());
            found.extend(own.map(str::to_owned));
            members.values().for_each(|value| queries(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

/// The names of metrics in a query.
fn names(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("hookswitch_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The demo, which ends with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Demo {
    /// Starts it, waits until it has shown its samples, and returns the address of its metrics.
    fn start(data: &Path) -> (Demo, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
        command.env_clear().arg("demo").arg("--rules").arg(rules()).arg("--data-dir").arg(data);
        for name in ["PATH", "HOME"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let demo = Demo(child);
        let mut said = String::new();
        for line in lines {
            if let Some(url) = line.trim().strip_prefix("curl ").and_then(|url| url.strip_suffix("/metrics"))
            {
                return (demo, url.to_owned());
            }
            said.push_str(&line);
            said.push('\n');
        }
        panic!("the demo names no metrics:\n{said}")
    }
}

#[tokio::test]
async fn every_name_that_alerts_and_dashboard_use_is_there_after_the_demo() {
    let mut found: Vec<String> =
        alerts().iter().map(|alert| alert["expr"].as_str().unwrap().to_owned()).collect();
    let dashboard = fs::read_to_string(deploy().join("grafana/hookswitch.json")).unwrap();
    queries(&serde_json::from_str(&dashboard).unwrap(), &mut found);
    let used: BTreeSet<String> = found.iter().flat_map(|query| names(query)).collect();
    assert!(used.len() > 25, "{used:?}");

    let folder = tempfile::tempdir().unwrap();
    let (_demo, url) = Demo::start(folder.path());
    let scrape = Scrape::from(&url).await;
    let missing: Vec<&String> = used.iter().filter(|name| !scrape.knows(name)).collect();
    assert!(missing.is_empty(), "{missing:?} in:\n{}", scrape.text());
}

#[test]
fn the_dashboard_fits_any_data_source() {
    let text = fs::read_to_string(deploy().join("grafana/hookswitch.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{} is there twice", panel["id"]);
        assert!(
            panel["type"] == "row" || panel["datasource"]["uid"] == "${datasource}",
            "{}",
            panel["title"]
        );
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        }
    }
}

#[test]
fn each_alert_begins_with_a_command_that_exists() {
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let runbook = alert["annotations"]["runbook"].as_str().unwrap();
        let words: Vec<&str> = runbook.split(' ').collect();
        let ["hookswitch", command @ ..] = words.as_slice() else { panic!("{name}: {runbook}") };
        let output = program(&[command, &["--help"]].concat()).output().unwrap();
        assert!(output.status.success(), "{name}: {runbook}");
        assert!(["page", "ticket"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{name}");
    }
}

/// By `promtool`, of Debian's package `prometheus`.
#[test]
fn each_alert_is_raised_when_it_should_be_and_not_else() {
    let folder = deploy().join("prometheus");
    let tests = fs::read_to_string(folder.join("alerts.test.yaml")).unwrap();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        assert!(tests.contains(&format!("  - name: {name}\n")), "{name} is not tested");
        assert!(tests.contains(&format!("alertname: {name}, exp_alerts: []")), "{name} is not seen silent");
    }
    let promtool =
        |arguments: &[&str]| Command::new("promtool").args(arguments).current_dir(&folder).output();
    let Ok(checked) = promtool(&["check", "rules", "alerts.yaml"]) else {
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "promtool is not installed (Debian: prometheus)");
        println!("left out: promtool is not installed (Debian: prometheus)");
        return;
    };
    assert!(checked.status.success(), "{checked:?}");
    let tested = promtool(&["test", "rules", "alerts.test.yaml"]).unwrap();
    let said = [tested.stdout, tested.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    assert!(tested.status.success(), "{said}");
}
