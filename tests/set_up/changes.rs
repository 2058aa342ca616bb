//! Changes to a person over HTTP: all or nothing, with a pointer to each wrong member.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Office, api::Desk};
use crate::harness::{create_key, http};

fn places(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["at"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_change_is_made_whole_or_not_at_all() {
    let office = Office::open().await;
    let host = office.host();
    let desk = Desk { host: &host, key: create_key(&office.database, "desk", &["admin"]) };
    desk.ask(Method::POST, "/v1/people", Some(json!({"username": "ann", "name": "Ann"}))).await;
    let change = async |change: Value| desk.ask(Method::PATCH, "/v1/people/ann", Some(change)).await;
    let before = desk.get("/v1/people/ann").await.1;

    let quiet = json!({"hours": "21:00-06:30", "time_zone": "Africa/Harare"});
    let elsewhere = json!({"hours": "21:00-06:30", "time_zone": "Africa/Nowhere"});
    for (wrong, at) in [
        (
            json!({"whatsapp": "+263771234567", "quiet_hours": quiet, "active": false, "name": ""}),
            &["/name"][..],
        ),
        (json!({"name": "Ann Moyo", "quiet_hours": quiet, "whatsapp": "077"}), &["/whatsapp"]),
        (json!({"active": false, "whatsapp": "+263771234567", "quiet_hours": elsewhere}), &["/quiet_hours"]),
        (
            json!({"name": " ", "whatsapp": "077", "quiet_hours": elsewhere}),
            &["/name", "/whatsapp", "/quiet_hours"],
        ),
        (json!({"whatsapp": "+263771234567", "name": null}), &["/name"]),
        (json!({"whatsapp": "+263771234567", "active": null, "name": null}), &["/name", "/active"]),
    ] {
        let (status, problem) = change(wrong.clone()).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_value")), "{wrong}: {problem}");
        assert_eq!(places(&problem), at, "{wrong}: {problem}");
        assert_eq!(desk.get("/v1/people/ann").await.1, before, "{wrong}");
    }
    assert_eq!(office.database.count("SELECT count(*) FROM contact").await, 0);

    let all =
        json!({"name": "Ann Moyo", "active": false, "whatsapp": "+263 77 123 4567", "quiet_hours": quiet});
    let (status, changed) = change(all).await;
    assert_eq!((status, &changed["name"], &changed["active"]), (200, &json!("Ann Moyo"), &json!(false)));
    assert_eq!((&changed["contact"]["wa_id"], &changed["quiet_hours"]), (&json!("263771234567"), &quiet));
    let (_, unchanged) = change(json!({})).await;
    assert_eq!(unchanged, changed);
    let (_, changed) = change(json!({"whatsapp": null, "quiet_hours": null})).await;
    assert_eq!((&changed["contact"], &changed["quiet_hours"]), (&Value::Null, &Value::Null), "{changed}");
    assert_eq!((&changed["name"], &changed["active"]), (&json!("Ann Moyo"), &json!(false)));
}

#[tokio::test]
async fn a_new_person_has_quiet_hours_and_a_place() {
    let office = Office::open().await;
    let host = office.host();
    let desk = Desk { host: &host, key: create_key(&office.database, "desk", &["admin"]) };
    let quiet = json!({"hours": "21:00-06:30", "time_zone": "Africa/Harare"});
    let zoe =
        json!({"username": "zoë@home", "name": "Zoë", "whatsapp": "+263771234567", "quiet_hours": quiet});
    let post = http().post(format!("{}/v1/people", host.url())).bearer_auth(&desk.key);
    let response = post.json(&zoe).send().await.unwrap();
    assert_eq!(response.status(), 201);
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(place, "/v1/people/zo%C3%AB@home");
    let (status, person) = desk.get(&place).await;
    assert_eq!((status, &person["quiet_hours"]), (200, &quiet), "{person}");

    let wrong = json!({"username": "a b", "name": "", "whatsapp": "1", "quiet_hours": {"hours": "9", "time_zone": "UTC"}});
    let (status, problem) = desk.ask(Method::POST, "/v1/people", Some(wrong)).await;
    assert_eq!(status, 400, "{problem}");
    assert_eq!(places(&problem), ["/username", "/name", "/whatsapp", "/quiet_hours"], "{problem}");
}

#[tokio::test]
async fn two_people_on_one_number_are_said_to_be() {
    let office = Office::open().await;
    let host = office.host();
    let desk = Desk { host: &host, key: create_key(&office.database, "desk", &["admin"]) };
    office.does(&["people", "add", "ann", "--name", "Ann", "--whatsapp", "+55 41 98888-7777"]);
    office.does(&["people", "add", "bob", "--name", "Bob"]);
    // The number as WhatsApp spells it.
    let output = office.run(&["people", "link", "bob", "+55 41 8888-7777"]);
    let said = super::text(&output.stderr);
    assert!(output.status.success() && said.contains("also linked to ann;"), "{said}");
    let eve = json!({"username": "eve", "name": "Eve", "whatsapp": "+5541988887777"});
    let (_, eve) = desk.ask(Method::POST, "/v1/people", Some(eve)).await;
    assert_eq!(eve["contact"]["shared_with"], json!(["ann", "bob"]), "{eve}");
    let (_, ann) = desk.ask(Method::PATCH, "/v1/people/ann", Some(json!({"whatsapp": null}))).await;
    assert_eq!(ann["contact"], Value::Null);
    let (_, bob) = desk.get("/v1/people/bob").await;
    assert_eq!(bob["contact"]["shared_with"], json!(["eve"]), "{bob}");
}
