//! Test messages, explanations and lists.

use serde_json::{Value, json};

use super::{Office, snapshot_settings};
use crate::harness::{SOON, wait_until};

async fn last_event(office: &Office) -> String {
    let listed = office.does(&["notifications", "--json", "--limit", "1"]);
    let listed: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    listed["event_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_test_message_is_followed_until_it_is_read() {
    let office = Office::open().await;
    let _host = office.host();
    office.set_up().await;
    office.does(&["people", "add", "bob", "--name", "Bob", "--group", "Ops"]);

    let dry = office.does(&["send", "greeting", "--to", "Ops", "--context", "name=Eve", "--dry-run"]);
    insta::assert_snapshot!(dry, @r"
    to Ann
    ╭────────────────────────────────────╮
    │ Good morning, Eve, this is a test. │
    ╰────────────────────────────────────╯
    outside the 24-hour window: the same text, as the Meta template greeting
    not to Bob: bob has no WhatsApp number linked
    Nothing was sent.
    ");
    assert_eq!(office.database.count("SELECT count(*) FROM event").await, 0);

    let sent = office.does(&["send", "greeting", "--to", "ann", "--context", "name=Eve"]);
    assert!(
        sent.contains("free-form") && sent.contains("Ann delivered") && sent.contains("Ann read"),
        "{sent}"
    );
    let sent = office.does(&["send", "greeting", "--to", "+263 77 123 4567", "--context", "name=Eve"]);
    assert!(sent.contains(" read"), "{sent}");
    assert!(!office.run(&["send", "greeting", "--to", "bob", "--context", "name=Eve"]).status.success());

    for (arguments, why) in [
        (&["greting", "--to", "ann"][..], "did you mean `greeting`?"),
        (&["greeting", "--to", "anne", "--context", "name=x"], "did you mean `ann`?"),
        (&["greeting", "--to", "077", "--context", "name=x"], "begins with 0"),
        (&["greeting", "--to", "ann", "--context", "nam=x"], "did you mean `name`?"),
        (&["greeting", "--to", "ann"], "add --context name=…"),
    ] {
        let mut all = vec!["send"];
        all.extend(arguments);
        let output = office.run(&all);
        let said = super::text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn without_a_host_a_test_message_says_so() {
    let office = Office::open().await;
    office.set_up().await;
    let output = office.run(&["send", "greeting", "--to", "ann", "--context", "name=Eve", "--timeout", "1s"]);
    let (said, warned) = (super::text(&output.stdout), super::text(&output.stderr));
    assert_eq!(output.status.code(), Some(1));
    assert!(warned.contains("no host is running"), "{warned}");
    assert!(said.contains("Not picked up yet."), "{said}");
}

#[tokio::test]
async fn an_event_is_explained_on_a_page() {
    let office = Office::open().await;
    let host = office.host();
    office.set_up().await;
    office.does(&["people", "add", "bob", "--name", "Bob", "--group", "Ops"]);
    let open = "SELECT count(*) FROM contact WHERE last_inbound_at IS NOT NULL";
    wait_until("the window is open", SOON, async || office.database.count(open).await == 1).await;
    let id = host
        .accept(&json!({"type": "guest.arrived", "source": "/door", "id": "g1", "data": {"name": "Eve"}}))
        .await;
    let read = "SELECT count(*) FROM delivery WHERE status = 'read'";
    wait_until("it is read", SOON, async || office.database.count(read).await == 1).await;

    let page = office.does(&["explain", &id]);
    snapshot_settings(office.rules.path()).bind(|| insta::assert_snapshot!("explained", page));
    let listed: Value =
        serde_json::from_str(office.does(&["notifications", "--json"]).lines().next().unwrap()).unwrap();
    let by_notification = office.does(&["explain", listed["id"].as_str().unwrap()]);
    assert!(by_notification.contains("← this one"), "{by_notification}");
    let skipped = "SELECT notification_id::text FROM delivery WHERE status = 'skipped'";
    let skipped: String = office.database.query(skipped, &[]).await[0].get(0);
    let by_skipped = office.does(&["explain", &skipped]);
    let place = |name: &str| by_skipped.find(name).unwrap();
    assert!(place("Bob (bob): not sent ← this one") < place("Ann (ann"), "{by_skipped}");
    let wamid = office.database.query("SELECT wamid FROM delivery WHERE status = 'accepted'", &[]).await;
    let wamid: String = wamid[0].get(0);
    assert!(office.does(&["explain", &wamid]).contains("guest.arrived"));
    let json: Value = serde_json::from_str(&office.does(&["explain", &id, "--json"])).unwrap();
    assert_eq!(json["decisions"][0]["notifications"].as_array().unwrap().len(), 2);

    let nothing = host.accept(&json!({"type": "guest.left", "source": "/door", "data": {}})).await;
    wait_until("it is routed", SOON, async || host.event(&nothing).await["routed"] == true).await;
    let page = office.does(&["explain", &nothing]);
    snapshot_settings(office.rules.path()).bind(|| insta::assert_snapshot!("no_route_explained", page));
    assert!(
        office.refuses(&["explain", "nobody-knows"]).contains("no event, notification or message has the id")
    );
    host.accept(&json!({"type": "guest.left", "source": "/gate", "id": "g1", "data": {}})).await;
    assert!(office.refuses(&["explain", "g1"]).contains("add --source, for example /door or /gate"));
    assert!(office.does(&["explain", "g1", "--source", "/door"]).contains("guest.arrived"));
}

#[tokio::test]
async fn a_failure_is_explained_and_listed_with_its_meaning() {
    let office = Office::open().await;
    let _host = office.host();
    office.set_up().await;
    office.simulator.turn(&json!({"not_on_whatsapp": ["263771234567"]})).await;
    assert!(!office.run(&["send", "greeting", "--to", "ann", "--context", "name=Eve"]).status.success());
    let page = office.does(&["explain", &last_event(&office).await]);
    snapshot_settings(office.rules.path()).bind(|| insta::assert_snapshot!("failure_explained", page));
    let failed = office.does(&["notifications", "--failed"]);
    snapshot_settings(office.rules.path()).bind(|| insta::assert_snapshot!("failures_listed", failed));
    assert_eq!(office.does(&["notifications", "--status", "failed"]), failed);
    assert!(failed.contains("failed  ann  greeting") && failed.contains("131026: "), "{failed}");
    assert!(office.does(&["notifications", "--status", "read"]).contains("No notifications."));
    assert!(office.does(&["notifications", "--person", "bob"]).contains("No notifications."));
    assert!(office.does(&["notifications", "--person", "+263 77 123 4567"]).contains("failed"));
    assert!(office.does(&["notifications", "--template", "other"]).contains("No notifications."));
    assert_eq!(office.run(&["notifications", "--status", "gone"]).status.code(), Some(2));
}

#[tokio::test]
async fn what_waits_is_explained() {
    let office = Office::open().await;
    office.write(
        "guests/routes.yaml",
        "- on: guest.arrived\n  template: greeting\n  groups: [Ops]\n  after: 2h\n  context:\n    name: event.data.name\n",
    );
    let host = office.host();
    office.set_up().await;
    let id = host
        .accept(&json!({"type": "guest.arrived", "source": "/door", "id": "g1", "data": {"name": "Eve"}}))
        .await;
    let deferred = "SELECT count(*) FROM deferred";
    wait_until("its message waits", SOON, async || office.database.count(deferred).await == 1).await;
    let page = office.does(&["explain", &id]);
    snapshot_settings(office.rules.path()).bind(|| insta::assert_snapshot!("waiting_explained", page));
    assert!(office.does(&["notifications", "--status", "deferred"]).contains("ann"));
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_found_by_metas_id() {
    let office = Office::open().await;
    let host = office.host();
    office.set_up().await;
    office.simulator.turn(&json!({"lost_answers": 1.0})).await;
    host.accept(&json!({"type": "guest.arrived", "data": {"name": "Eve"}})).await;
    let told = "SELECT wamid FROM delivery WHERE status = 'read'";
    wait_until("a webhook tells", SOON, async || !office.database.query(told, &[]).await.is_empty()).await;
    let accepted = "SELECT count(*) FROM delivery WHERE status = 'accepted'";
    assert_eq!(office.database.count(accepted).await, 0);
    let wamid: String = office.database.query(told, &[]).await[0].get(0);
    assert!(office.does(&["explain", &wamid]).contains("read ← this one"));
    assert!(
        office.refuses(&["explain", "wamid.nobody"]).contains("no event, notification or message has the id")
    );
}

#[tokio::test]
async fn a_seldom_status_is_listed_and_each_other_is_told_from_it() {
    let office = Office::open().await;
    let host = office.host();
    office.set_up().await;
    office.does(&["people", "add", "bob", "--name", "Bob", "--group", "Ops"]);
    host.accept(&json!({"type": "guest.arrived", "data": {"name": "Eve"}})).await;
    let read = "SELECT count(*) FROM delivery WHERE status = 'read'";
    wait_until("it is read", SOON, async || office.database.count(read).await == 1).await;
    let usernames = |status: &str| -> Vec<String> {
        let listed = office.does(&["notifications", "--json", "--status", status]);
        let listed = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        listed.map(|one| one["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((usernames("read"), usernames("skipped")), (vec!["ann".to_owned()], vec!["bob".to_owned()]));
    for none in ["queued", "sending", "accepted", "sent", "delivered", "failed", "expired", "unknown"] {
        assert_eq!(usernames(none), [""; 0], "{none}");
    }
}
