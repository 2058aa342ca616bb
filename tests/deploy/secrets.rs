//! The simulator's secrets are published: with its app secret anybody forges webhooks.

use std::process::Command;

use hookswitch_simulator::Settings;

use super::{program, said};
use crate::harness::rules;

const OWN: &str = "a-secret-of-my-own";

fn command(name: &str, url: &str, public: &[&str]) -> Command {
    let account = Settings::default();
    let mut command = program();
    command.env("HOOKSWITCH_LISTEN", "127.0.0.1:0").env("HOOKSWITCH_ADMIN_LISTEN", "off");
    command.arg(name).env("HOOKSWITCH_RULES", rules()).env("WHATSAPP_API_URL", url);
    command.env("WHATSAPP_PHONE_NUMBER_ID", &account.phone_number_id);
    // Refused at once: nothing listens there.
    command.env("DATABASE_URL", "postgresql://hookswitch@127.0.0.1:1/hookswitch");
    for (variable, value) in account.environment().into_iter().skip(1) {
        let value = if public.contains(&variable) { value } else { OWN.to_owned() };
        command.env(variable, value);
    }
    command
}

const SECRETS: [&str; 3] = ["WHATSAPP_ACCESS_TOKEN", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN"];

#[test]
fn a_host_refuses_them_unless_the_simulator_is_on_its_machine() {
    for url in
        ["https://graph.facebook.com/v25.0", "http://simulator:8421/v25.0", "http://10.0.0.7:8421/v25.0"]
    {
        for public in SECRETS.iter().map(std::slice::from_ref).chain([&SECRETS[..]]) {
            let output = command("serve", url, public).output().unwrap();
            let said = said(&output);
            assert_eq!(output.status.code(), Some(2), "{url} {public:?}: {said}");
            let refused = |variable: &&str| {
                said.contains(&format!("({variable}): must not be the simulator's default"))
            };
            assert!(SECRETS.iter().all(|variable| public.contains(variable) == refused(variable)), "{said}");
        }
    }
    // With others it goes on to the database, and so does a host beside its simulator.
    let others = command("serve", "https://graph.facebook.com/v25.0", &[]);
    let beside = ["http://127.0.0.1:1/v25.0", "http://localhost:1/v25.0", "http://[::1]:1/v25.0"];
    for mut command in beside.into_iter().map(|url| command("serve", url, &SECRETS)).chain([others]) {
        let output = command.output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot reach PostgreSQL") && !said.contains("simulator's default"), "{said}");
    }
}

#[test]
fn the_check_finds_them() {
    let mut check = command("check", "https://graph.facebook.com/v25.0", &SECRETS[1..2]);
    let output = check.arg("--json").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let settings =
        report["sections"].as_array().unwrap().iter().find(|section| section["name"] == "settings").unwrap();
    assert_eq!(settings["status"], "critical");
    let what = settings["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("(WHATSAPP_APP_SECRET): must not be the simulator's default"), "{settings:#}");
}
