//! Clients that others' generators have made from the description, against a host. `.ci/openapi` makes them; a test without
//! its client says so, and fails with `CI=true`.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use hookswitch_simulator::Settings;
use serde_json::{Value, json};

use super::Desk;
use crate::harness::{Stage, create_key};

const WORD: &str = "---\ndescription: A word\ncategory: utility\nlanguage: en_US\n---\nThe word of the day: {{ text }} is what it says.";

/// A desk with five failed messages and a template that Meta does not have.
async fn desk() -> Desk {
    let account = Settings::default().waba_id;
    let stage = Stage::builder()
        .rules(&[("notes/templates/word.j2", WORD)])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str())])
        .start()
        .await;
    let key = create_key(&stage.database, "desk", &["admin"]);
    let desk = Desk { stage, key };
    desk.fail(5).await;
    desk
}

/// The folder of the clients, if this one is there.
fn made(client: &str) -> Option<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    let folder = target.join("openapi");
    if folder.join(client).exists() {
        return Some(folder);
    }
    assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{client} is missing: .ci/openapi makes it");
    eprintln!("not tested: {client} is missing; .ci/openapi makes it");
    None
}

async fn run(desk: &Desk, program: &Path, script: &OsStr, folder: &Path) {
    let mut command = Command::new(program);
    command.arg(script).args([desk.stage.host.url(), &desk.key]).current_dir(folder).env("PYTHONPATH", ".");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let [said, wrong] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    assert!(output.status.success(), "{said}{wrong}");
    assert_eq!(said.trim(), "listed, paged, redriven, pushed");
    let actions = desk.get("/v1/actions").await;
    let of = |action: &str| -> Vec<Value> {
        let all = actions["data"].as_array().unwrap().iter();
        all.filter(|one| one["action"] == action).map(|one| one["count"].clone()).collect()
    };
    assert_eq!((of("failed.redrive"), of("templates.push")), (vec![json!(2)], vec![json!(1)]), "{actions}");
}

#[tokio::test]
async fn a_generated_python_client_works() {
    let Some(folder) = made("hookswitch_client") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/api/clients/client.py");
    run(&desk().await, &folder.join("python/bin/python"), script.as_os_str(), &folder).await;
}

#[tokio::test]
async fn a_generated_typescript_client_works() {
    let Some(folder) = made("typescript-built/client.js") else { return };
    run(&desk().await, Path::new("node"), OsStr::new("typescript-built/client.js"), &folder).await;
}
