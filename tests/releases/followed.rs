//! Hosts that follow the active release.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{Fleet, decides_by, rules};
use crate::harness::{SOON, wait_until, write_rule};

#[tokio::test]
async fn three_hosts_follow_an_activation_and_a_rollback() {
    let fleet = Fleet::new().await;
    let (one, two) = (rules("One"), rules("Two"));
    let (first, second) = (fleet.create(one.path()), fleet.create(two.path()));
    fleet.says(&["release", "activate", &first]);
    let data = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let hosts: Vec<_> = data.iter().map(|data| fleet.host(data.path(), None)).collect();
    fleet.lives_on(&first, 3).await;
    decides_by(&hosts[0], &first).await;

    // They have no files but those of the database.
    drop((one, two));
    let said = fleet.says(&["release", "activate", &second, "--reason", "a better text"]);
    assert!(said.contains(&format!("Activated release {second}")), "{said}");
    for host in &hosts {
        let live = format!("release=\"{second}\"");
        wait_until("the host swaps", SOON, async || host.said().contains(&live)).await;
    }
    fleet.lives_on(&second, 3).await;
    decides_by(&hosts[1], &second).await;
    let shown = fleet.show(&second);
    assert_eq!(
        (&shown["active"], &shown["activations"][0]["reason"]),
        (&json!(true), &json!("a better text"))
    );

    assert!(fleet.says(&["release", "rollback"]).contains(&first));
    fleet.lives_on(&first, 3).await;
    decides_by(&hosts[2], &first).await;
    assert_eq!(fleet.show(&first)["activations"][0]["way"], "rollback");
    let actions = fleet.says(&["actions", "--json"]);
    for action in ["release.create", "release.activate", "release.rollback"] {
        assert!(actions.contains(action), "{actions}");
    }
}

#[tokio::test]
async fn a_host_that_cannot_load_a_release_keeps_the_old_one_and_the_check_says_so() {
    let fleet = Fleet::new().await;
    let (one, two) = (rules("One"), rules("Two"));
    let (first, second) = (fleet.create(one.path()), fleet.create(two.path()));
    fleet.says(&["release", "activate", &first]);
    let data = tempfile::tempdir().unwrap();
    let host = fleet.host(data.path(), None);
    fleet.lives_on(&first, 1).await;

    // Where its releases are nothing can be written.
    let cache = data.path().join("releases");
    fs::rename(&cache, data.path().join("before")).unwrap();
    fs::write(&cache, "a file").unwrap();
    fleet.says(&["release", "activate", &second]);
    wait_until("the host says so", SOON, async || host.said().contains("cannot load the release")).await;
    let finding = async || {
        let output = fleet.run(&["check", "--json", "--rules", one.path().to_str().unwrap()]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["sections"].as_array().unwrap().iter();
        let mut findings = findings.flat_map(|section| section["findings"].as_array().unwrap());
        findings.find(|finding| finding["id"] == "hosts.release_refused").cloned()
    };
    wait_until("the check says so", SOON, async || finding().await.is_some()).await;
    let finding = finding().await.unwrap();
    let what = finding["what"].as_str().unwrap();
    assert!(
        what.contains(&format!("could not load the active release {second}, and keeps {first}")),
        "{what}"
    );
    assert!(finding["details"][0].as_str().unwrap().contains("cannot write"), "{finding}");
    assert!(finding["command"].as_str().unwrap().contains(&format!("release show {second}")), "{finding}");
    decides_by(&host, &first).await;

    fs::remove_file(&cache).unwrap();
    decides_by(&host, &second).await;
    let refused = "SELECT count(*) FROM host WHERE refused_release IS NOT NULL";
    wait_until("nothing is refused", SOON, async || fleet.database.count(refused).await == 0).await;
}

#[tokio::test]
async fn what_was_changed_in_a_hosts_cache_is_never_loaded() {
    let fleet = Fleet::new().await;
    let release = fleet.create(rules("One").path());
    fleet.says(&["release", "activate", &release]);
    let data = tempfile::tempdir().unwrap();
    let mut host = fleet.host(data.path(), None);
    fleet.lives_on(&release, 1).await;
    assert!(host.terminate().success());
    let id = fleet.show(&release)["id"].as_str().unwrap().to_owned();
    let template = data.path().join("releases").join(id).join("rules/notes/templates/note.j2");
    let text = fs::read_to_string(&template).unwrap();
    fs::write(&template, text.replace("One", "Evil")).unwrap();
    host.restart();
    decides_by(&host, &release).await;
    assert!(host.said().contains("were changed on this machine"), "{}", host.said());
    assert_eq!(fs::read_to_string(&template).unwrap(), text);
}

#[tokio::test]
async fn a_host_that_serves_a_folder_makes_releases_that_others_follow() {
    let fleet = Fleet::new().await;
    let folder = rules("One");
    let (of_server, of_follower) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = fleet.host(of_server.path(), Some(folder.path()));
    let active = "SELECT count(DISTINCT release) FROM activation WHERE way = 'serve'";
    wait_until("what it loaded is active", SOON, async || fleet.database.count(active).await == 1).await;
    let follower = fleet.host(of_follower.path(), None);
    write_rule(folder.path(), "notes/templates/note.j2", &format!("{}Two", super::FRONT));
    wait_until("the change is active", SOON, async || fleet.database.count(active).await == 2).await;
    let listed = fleet.says(&["release", "list", "--json"]);
    let newest: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let release = newest["release"].as_str().unwrap();
    decides_by(&follower, release).await;
    decides_by(&server, release).await;
    fleet.lives_on(release, 2).await;

    // It serves its folder, whatever else is activated; the check says that the hosts differ.
    fleet.says(&["release", "rollback"]);
    fleet.lives_on(release, 1).await;
    let output = fleet.run(&["check", "--rules", folder.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("hosts run different rules"), "{said}");
}

#[tokio::test]
async fn without_a_folder_and_without_a_release_a_host_does_not_start() {
    let fleet = Fleet::new().await;
    let output = fleet
        .command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .env("WHATSAPP_API_URL", fleet.simulator.api_url())
        .env("WHATSAPP_PHONE_NUMBER_ID", "106540352242922")
        .env("WHATSAPP_ACCESS_TOKEN", "token")
        .env("WHATSAPP_APP_SECRET", "secret")
        .env("WHATSAPP_VERIFY_TOKEN", "verify")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("there is no folder rules, and no release is active"), "{said}");
    assert!(said.contains("hookswitch release create"), "{said}");
    assert!(!Path::new("rules").exists(), "this test runs where there is no folder rules");
    assert_ne!(fleet.port, 0);
}
