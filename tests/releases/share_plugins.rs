//! Two revisions of a plugin in one process: each release asks its own.

use hookswitch_core::domain::Lane;
use serde_json::{Value, json};

use super::{Fleet, rules};
use crate::harness::{CACHE, Host, SOON, component, free_port, wait_until, write_file, write_rule};

/// A subject in the lanes of a share of 50 %, and one in the others.
fn subject(in_share: bool) -> String {
    let subjects = (0..).map(|n| format!("subject-{n}"));
    subjects.into_iter().find(|subject| (Lane::of(subject).0 < 32) == in_share).unwrap()
}

/// A release of these rules with a plugin.
fn create(fleet: &Fleet, version: &str, wasm: &[u8]) -> String {
    let (rules, plugins) = (rules("One"), tempfile::tempdir().unwrap());
    let manifest = format!(
        "id: shaky\nversion: {version}\ncontract: \"1.0\"\nowner: Tests\non: [shake]\non_failure: skip\n"
    );
    write_rule(plugins.path(), "shaky/plugin.yaml", &manifest);
    write_file(plugins.path(), "shaky/shaky.wasm", wasm);
    let paths = [rules.path().to_str().unwrap(), plugins.path().to_str().unwrap()];
    let create = ["release", "create", "--rules", paths[0], "--plugins", paths[1]];
    let output = fleet.command(&create).env("HOOKSWITCH_PLUGIN_CACHE", CACHE).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn decided(host: &Host, in_share: bool, what: &str) -> Value {
    let event = json!({"type": "shake", "subject": subject(in_share), "data": {"do": what}});
    let id = host.accept(&event).await;
    wait_until("it is routed", SOON, async || host.event(&id).await["routed"] == true).await;
    host.event(&id).await["decisions"][0].clone()
}

#[tokio::test]
async fn a_plugin_of_the_old_release_is_parked_alone_and_never_gives_way_to_that_of_a_share() {
    let fleet = Fleet::new().await;
    // The same component with a section that says nothing: another revision.
    let mut other = component().to_vec();
    other.extend([0, 3, 1, b'x', 0]);
    let (old, new) = (create(&fleet, "1.0.0", component()), create(&fleet, "2.0.0", &other));
    let activate = |arguments: &[&str]| {
        let arguments = [&["release", "activate"], arguments].concat();
        let output = fleet.command(&arguments).env("HOOKSWITCH_PLUGIN_CACHE", CACHE).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    activate(&[&old]);
    let data = tempfile::tempdir().unwrap();
    let settings =
        [("HOOKSWITCH_DATA_DIR", data.path().to_str().unwrap()), ("HOOKSWITCH_PLUGIN_CACHE", CACHE)];
    let host = Host::start(free_port(), &fleet.database, &fleet.simulator, "rules".as_ref(), &settings);
    fleet.lives_on(&old, 1).await;
    assert_eq!(decided(&host, true, "nothing").await["outcome"], "nobody");
    activate(&[&new, "--share", "50%"]);
    let shared = "SELECT count(*) FROM host WHERE share_lanes = 32";
    wait_until("both decide", SOON, async || fleet.database.count(shared).await == 1).await;
    for (in_share, release) in [(true, &new), (false, &old)] {
        let decision = decided(&host, in_share, "nothing").await;
        assert_eq!((&decision["outcome"], &decision["release"]), (&json!("nobody"), &json!(release)));
    }
    for _ in 0..5 {
        assert_eq!(decided(&host, false, "panic").await["outcome"], "skip");
    }
    let parked = decided(&host, false, "nothing").await;
    assert_eq!(parked["outcome"], "parked", "{parked}");
    assert!(parked["reason"].as_str().unwrap().contains("is parked"), "{parked}");
    let well = decided(&host, true, "nothing").await;
    assert_eq!((&well["outcome"], &well["release"]), (&json!("nobody"), &json!(new)), "{well}");

    // The newer one gives way to the older one, as ever: here that is parked, too.
    for _ in 0..5 {
        assert_eq!(decided(&host, true, "panic").await["outcome"], "skip");
    }
    assert!(decided(&host, true, "nothing").await["reason"].as_str().unwrap().contains("is parked"));
    let told = "SELECT count(*) FROM event WHERE type = 'plugin.parked' AND source = '/hookswitch'";
    wait_until("both are told of", SOON, async || fleet.database.count(told).await == 2).await;
}
