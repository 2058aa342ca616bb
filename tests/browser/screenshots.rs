//! Pictures of the main pages, for people who want to know what the console is like.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    Case,
    chromium::Browser,
    harness::{SOON, Stage, rules, wait_until},
};

/// The largest picture, in bytes.
const LARGEST: usize = 150 * 1024;

/// Staff with numbers that nobody has.
const PEOPLE: [(&str, &str, &str, &[&str]); 5] = [
    ("rudo", "Rudo Ncube", "12025550101", &["System Admins", "Technical Admin"]),
    ("tapiwa", "Tapiwa Dube", "12025550102", &["Sales Team"]),
    ("nyasha", "Nyasha Sibanda", "12025550103", &["Pfungwa Staff", "Warranty Team"]),
    ("farai", "Farai Chuma", "12025550104", &["Finance Team"]),
    ("chipo", "Chipo Mlambo", "12025550105", &["Pastoral Team"]),
];

/// Writes them into a folder; its content is replaced.
pub async fn into(folder: &Path) -> Case {
    fs::create_dir_all(folder).unwrap();
    let stage = stage().await;
    let browser = Browser::log_in(&stage, "rudo", &["admin"]).await?;
    let event = stage.host.accept(&order(1042, "Tendai Moyo", "5 kVA home kit", 2_450)).await;
    stage.notification(&event, "read").await;
    let history = stage.host.event(&event).await;
    let message = history["decisions"][0]["notifications"][0]["id"].as_str().unwrap();
    for (name, path, width) in [
        ("overview", "/", 1_080),
        ("events", "/events", 1_080),
        ("event", &format!("/event?id={event}&source=/shop"), 1_080),
        ("message", &format!("/messages/{message}"), 1_080),
        ("failed", "/failed", 1_080),
        ("rules", "/rules", 1_080),
        ("phone", "/failed", 390),
    ] {
        browser.resize(width, 720).await;
        browser.go(path).await;
        let picture = browser.picture().await;
        assert!(picture.len() <= LARGEST, "{name} has {} bytes", picture.len());
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }
    Ok(())
}

/// The shipped rules, with a day's work done.
async fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    copy(&rules(), folder.path());
    let stage = Stage::with_rules(folder).simulator(&["--unlimited", "--unknown-templates"]).start().await;
    stage.says(&["groups", "create-defaults"]);
    for (username, name, number, groups) in PEOPLE {
        let mut arguments = vec!["people", "add", username, "--name", name, "--whatsapp", number];
        groups.iter().for_each(|group| arguments.extend(["--group", group]));
        stage.says(&arguments);
        stage.simulator.inbound(&json!({"from": number, "name": name, "text": "Good morning!"})).await;
    }
    let heard = "SELECT count(*) FROM contact WHERE last_inbound_at IS NOT NULL";
    wait_until("all have written in", SOON, async || stage.database.count(heard).await == 5).await;
    for n in 0..12 {
        let (name, kit) = [("Rumbi Zhou", "3 kVA home kit"), ("Tariro Banda", "Pump kit")][n % 2];
        let id = stage.host.accept(&order(1_030 + n, name, kit, 900 + 75 * n)).await;
        stage.notification(&id, "read").await;
    }
    stage.simulator.turn(&json!({"errors": [{"code": 131_026, "to": "12025550102"}]})).await;
    for n in 0..3 {
        stage.host.accept(&order(1_050 + n, "Farai Moyo", "8 kVA office kit", 5_200)).await;
    }
    wait_until("some have failed", SOON, async || stage.failed().await >= 3).await;
    stage.simulator.turn(&json!({"errors": []})).await;
    stage
        .host
        .accept(&json!({"type": "stock.low", "subject": "item-7", "source": "/shop", "data": {}}))
        .await;
    stage
}

fn order(id: usize, customer: &str, name: &str, amount: usize) -> Value {
    let number = format!("SO-{id}");
    json!({"type": "order.created", "subject": format!("order-{id}"), "source": "/shop", "data": {"order": {
        "id": id, "order_number": number, "name": name, "amount": amount,
        "customer": {"full_name": customer, "contact": {"name": customer}}}}})
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
