//! A stored event as a case: what was decided becomes an expectation, and nobody's data leave with it.

use std::fs;

use serde_json::json;

use crate::{
    console::Browser,
    harness::{SOON, Stage, create_key, http, wait_until, write_rule},
};

const ROUTES: &str = r#"- on: order.refunded
  script: refunded.rhai
"#;
const SCRIPT: &str = r#"fn decide(event) {
    if event.data.fails == true { throw "as it was asked to" }
    let order = event.data.order;
    [
        #{ template: "refund", groups: ["Ops"], users: ["eva"], dedupe_key: "refund-" + order.id,
           context: #{ name: order.customer.name, number: order.customer.phone, limit: config("limit", 0) } },
        #{ template: "thanks", contacts: [order.customer.phone], context: #{} },
    ]
}
"#;
const TEXT: &str = "---\ndescription: A refund\ncategory: utility\nlanguage: en_US\n---\n";

/// What of people stands in the event or the database.
const PERSONAL: [&str; 7] =
    ["Ana Souza", "ana.s", "Eva Lima", "15550100011", "Bia Nunes", "16505550123", "bia@shop.example"];

async fn stage() -> Stage {
    let refund = format!(
        "{TEXT}Hello {{{{ recipient.name }}}}, please have a look at the refund for our customer {{{{ name }}}}: their number is \
         {{{{ number }}}}, and it is over the limit of {{{{ limit }}}} that we all agreed on."
    );
    let stage = Stage::builder()
        .rules(&[
            ("orders/routes.yaml", ROUTES),
            ("orders/refunded.rhai", SCRIPT),
            ("orders/config.yaml", "limit: 50\n"),
            ("orders/templates/refund.j2", &refund),
            ("orders/templates/thanks.j2", &format!("{TEXT}Thank you, it is on its way.")),
        ])
        .person("ana.s", "15550100011", &["Ops"])
        .person("eva", "15550100012", &[])
        .start()
        .await;
    let names = "UPDATE person SET name = CASE username WHEN 'ana.s' THEN 'Ana Souza' ELSE 'Eva Lima' END";
    stage.database.query(names, &[]).await;
    stage.says(&["people", "add", "dan", "--name", "Dan", "--group", "Ops"]);
    stage
}

#[tokio::test]
async fn what_came_of_an_event_becomes_a_case_with_invented_people() {
    let stage = stage().await;
    let order = json!({"id": "7", "customer": {"name": "Bia Nunes", "phone": "+1 650-555-0123", "email": "bia@shop.example"},
                       "note": "asked for by ana.s, +16505550123"});
    let event = json!({"type": "order.refunded", "subject": "order-7", "data": {"order": order}});
    let id = stage.host.accept(&event).await;
    wait_until("all is read or skipped", SOON, async || stage.read().await == 3).await;

    let case = stage.says(&["explain", &id, "--as-case"]);
    for personal in PERSONAL {
        assert!(!case.contains(personal), "{personal} is told:\n{case}");
    }
    let stable = case.replace(&id, "ID");
    insta::with_settings!({filters => vec![
        (r"port-\d+", "[port]"), (r"20\d\d-\d\d-\d\dT[\d:.]+Z", "[time]"), (r"20\d\d-\d\d-\d\d", "[day]"), (r"release [0-9a-f]{12}", "release [release]"),
    ]}, { insta::assert_snapshot!("as_case", stable) });

    // The same over HTTP and in the console.
    let key = create_key(&stage.database, "auditor", &["read", "personal"]);
    let url = format!("{}/v1/events/{id}/case", stage.host.url());
    let answer = http().get(&url).bearer_auth(key).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/yaml");
    assert_eq!(answer.text().await.unwrap(), case);
    let key = create_key(&stage.database, "clerk", &["read"]);
    assert_eq!(http().get(&url).bearer_auth(key).send().await.unwrap().status(), 403);
    let browser = Browser::log_in(&stage, "console", &["admin"]).await;
    let event_page = browser.get(&format!("/event?id={id}")).send().await.unwrap().text().await.unwrap();
    assert!(
        event_page.contains("/event/case?id=") && event_page.contains("What the rule asked"),
        "{event_page}"
    );
    let playground =
        browser.post("/try", &[("id", &id), ("event", "")]).send().await.unwrap().text().await.unwrap();
    assert!(
        playground.contains("Save as a case") && playground.contains("What the rule asked"),
        "{playground}"
    );
    let page = browser.get(&format!("/event/case?id={id}")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("person_1") && !page.contains("Ana Souza"), "{page}");

    // It holds by the same rules, and no longer where they are changed.
    write_rule(&stage.rules, "orders/cases/refund.yaml", &case);
    let checked = stage.says(&["rules", "check"]);
    assert!(checked.contains("1 case"), "{checked}");
    let refund = stage.rules.join("orders/templates/refund.j2");
    let changed = fs::read_to_string(&refund).unwrap().replace("over", "above");
    fs::write(refund, changed).unwrap();
    let output = stage.run(&["rules", "check"]);
    let status = output.status;
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("`bodies.person_1`"), "{said}");
}

#[tokio::test]
async fn what_failed_or_had_no_rule_becomes_a_case_too() {
    let stage = stage().await;
    for (event, expected) in [
        (json!({"type": "order.lost", "data": {}}), "no_route: true"),
        (json!({"type": "order.refunded", "data": {"fails": true}}), "failed: "),
    ] {
        let id = stage.host.accept(&event).await;
        wait_until("it is decided", SOON, async || stage.host.event(&id).await["routed"] == true).await;
        let case = stage.says(&["explain", &id, "--as-case"]);
        assert!(case.contains(expected), "{case}");
        write_rule(&stage.rules, "orders/cases/other.yaml", &case);
        stage.says(&["rules", "check"]);
    }
    let both = stage.run(&["explain", "x", "--as-case", "--json"]);
    assert_eq!(both.status.code(), Some(2));
}
