//! Groups are renamed and deleted without surprises.

use reqwest::Method;
use serde_json::json;

use super::{Office, api::Desk};
use crate::harness::{SOON, create_key, wait_until};

const SCRIPT: &str = "fn decide(event) {\n    #{ template: \"greeting\", groups: [\"Night Shift\"], \
                      context: #{ name: event.data.name } }\n}\n";

async fn office() -> Office {
    let office = Office::open().await;
    office.write("groups.yaml", "- name: Ops\n- name: Night Shift\n");
    office.write("nights/routes.yaml", "- on: night.fell\n  script: night.rhai\n");
    office.write("nights/night.rhai", SCRIPT);
    office.does(&["groups", "create-defaults"]);
    office.does(&["people", "add", "ann", "--name", "Ann", "--whatsapp", "+263771234567", "--group", "Ops"]);
    office
}

#[tokio::test]
async fn a_renamed_group_keeps_its_people_and_says_who_names_it_as_before() {
    let office = office().await;
    let output = office.run(&["groups", "rename", "Ops", "Operations"]);
    assert!(output.status.success());
    let said = super::text(&output.stderr);
    assert!(said.contains("Ops is still named in groups.yaml, guests/routes.yaml:1;"), "{said}");
    assert!(office.does(&["people", "list", "--group", "Operations"]).contains("ann"));
    assert!(office.refuses(&["groups", "rename", "Ops", "Other"]).contains("unknown group \"Ops\""));
    let taken = office.refuses(&["groups", "rename", "Operations", "Night Shift"]);
    assert!(taken.contains("a group named \"Night Shift\" exists already"), "{taken}");
    assert!(office.refuses(&["groups", "rename", "Operations", " "]).contains("1 to 150 characters"));
    // Nothing names it as it is called now.
    let output = office.run(&["groups", "rename", "Operations", "Operators"]);
    assert_eq!(super::text(&output.stderr), "");
}

#[tokio::test]
async fn a_group_that_rules_name_is_not_deleted_by_mistake() {
    let office = office().await;
    let kept = office.refuses(&["groups", "delete", "Night Shift"]);
    assert!(kept.contains("named in groups.yaml, nights/night.rhai:2. Delete it?"), "{kept}");
    assert!(kept.contains("Use --yes"), "{kept}");
    assert!(office.does(&["groups", "list"]).contains("Night Shift"));
    // Rules that cannot be read may name it.
    let kept = office.refuses(&["groups", "delete", "Night Shift", "--rules", "/nowhere"]);
    assert!(kept.contains("whether the rules name it is unknown"), "{kept}");
    office.does(&["groups", "delete", "Night Shift", "--yes"]);
    office.does(&["groups", "create", "Unused"]);
    office.does(&["groups", "delete", "Unused"]);
    assert!(office.refuses(&["groups", "delete", "Unused", "--yes"]).contains("unknown group"));
}

#[tokio::test]
async fn the_same_is_there_over_http_and_a_digest_follows_its_group() {
    let office = office().await;
    office.write(
        "guests/routes.yaml",
        "- on: guest.arrived\n  template: greeting\n  groups: [Ops]\n  collect: 1h by group\n  context:\n    name: '\"all\"'\n",
    );
    office
        .write("guests/templates/greeting.j2", &super::GREETING.replace("{{ name }}", "{{ count }} guests"));
    office.write("nights/night.rhai", &SCRIPT.replace("name: event.data.name", "count: 1"));
    let host = office.host();
    let desk = Desk { host: &host, key: create_key(&office.database, "desk", &["admin"]) };
    host.accept(&json!({"type": "guest.arrived", "data": {}})).await;
    let open = "SELECT count(*) FROM digest";
    wait_until("the digest is open", SOON, async || office.database.count(open).await == 1).await;

    let (status, problem) = desk.ask(Method::DELETE, "/v1/groups/Ops", None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("group_in_use")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("named in groups.yaml, guests/routes.yaml:1; 1 digest waits for it"), "{detail}");

    let renamed = desk.ask(Method::PATCH, "/v1/groups/Ops", Some(json!({"name": "Operations"}))).await;
    assert_eq!(renamed.0, 200, "{}", renamed.1);
    assert_eq!(renamed.1["group"]["members"], json!(["ann"]));
    assert_eq!(renamed.1["former_name_in"], json!(["groups.yaml", "guests/routes.yaml:1"]));
    let taken = desk.ask(Method::PATCH, "/v1/groups/Operations", Some(json!({"name": "Night Shift"}))).await;
    assert_eq!((taken.0, &taken.1["code"]), (409, &json!("group_exists")), "{}", taken.1);
    let (status, problem) = desk.ask(Method::PATCH, "/v1/groups/Operations", Some(json!({"name": ""}))).await;
    assert_eq!((status, &problem["errors"][0]["at"]), (400, &json!("/name")), "{problem}");
    assert_eq!(desk.ask(Method::PATCH, "/v1/groups/Ops", Some(json!({"name": "X"}))).await.0, 404);

    // The digest that waited for the group is sent to it.
    office.simulator.inbound(&json!({"from": "263771234567", "name": "Ann", "text": "hello"})).await;
    let wrote = "SELECT count(*) FROM contact WHERE last_inbound_at IS NOT NULL";
    wait_until("ann's window is open", SOON, async || office.database.count(wrote).await == 1).await;
    office.database.query("UPDATE digest SET due_at = now()", &[]).await;
    wait_until("ann has it", SOON, async || !office.simulator.messages().await.is_empty()).await;
    assert_eq!(desk.ask(Method::DELETE, "/v1/groups/Night%20Shift?force=true", None).await.0, 204);
    assert_eq!(desk.ask(Method::DELETE, "/v1/groups/Operations", None).await.0, 204, "nothing names it");
}
