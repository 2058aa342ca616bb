//! No list grows beyond a page, and each says where it goes on.

use serde_json::{Value, json};

use super::Office;
use crate::harness::{Host, create_key, http};

/// An event of which 250 messages came, as rows of the logs.
const MANY: &str = "
    WITH e AS (
        INSERT INTO event (lane, id, source, type, time, data, sha256)
        VALUES (1, 'many', '/shop', 'stock.low', now(), '{}', '') RETURNING lane, seq
    ), d AS (
        INSERT INTO decision (lane, event_seq, ordinal, outcome, release) SELECT lane, seq, 0, 'notify', 'r1' FROM e
    )
    INSERT INTO notification (lane, id, event_lane, event_seq, ordinal, name, recipient, phone_number_id, template,
        priority, message, reason)
    SELECT 65, ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, lane, seq, 0, 'Guest ' || n,
           15550100000 + n, '1', 'greeting', 1, '{\"body\":\"Good morning\"}', 'is a guest'
    FROM e, generate_series(1, 250) AS n";

async fn get(host: &Host, key: &str, path: &str) -> (u16, Value) {
    let answer = http().get(format!("{}{path}", host.url())).bearer_auth(key).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn names(notifications: &Value) -> Vec<String> {
    let name = |notification: &Value| notification["name"].as_str().unwrap().to_owned();
    notifications.as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn an_event_tells_of_its_messages_page_by_page() {
    let office = Office::open().await;
    let mut host = office.host();
    let key = create_key(&office.database, "desk", &["read", "personal"]);
    // Nothing is to happen to them.
    host.kill();
    office.database.query(MANY, &[]).await;
    let end = "UPDATE checkpoint SET seq = (SELECT max(seq) FROM notification)";
    office.database.query(end, &[]).await;
    host.restart();

    let (mut all, mut pages, mut after) = (Vec::new(), Vec::new(), json!(0));
    while !after.is_null() {
        let (status, page) = get(&host, &key, &format!("/v1/events/many?after={after}")).await;
        assert_eq!(status, 200, "{page}");
        let of_page = names(&page["decisions"][0]["notifications"]);
        pages.push(of_page.len());
        all.extend(of_page);
        after = page["next"].clone();
    }
    assert_eq!(pages, [100, 100, 50]);
    assert_eq!(all, (1..=250).map(|n| format!("Guest {n}")).collect::<Vec<_>>());
    let (_, page) = get(&host, &key, "/v1/events/many?limit=250").await;
    assert_eq!(names(&page["decisions"][0]["notifications"]).len(), 250);
    for wrong in ["limit=0", "limit=1001", "after=x"] {
        assert_eq!(get(&host, &key, &format!("/v1/events/many?{wrong}")).await.0, 400, "{wrong}");
    }

    // The page of who asks on the command line, and the message that they ask for.
    let page = office.does(&["explain", "many"]);
    assert!(page.contains("Guest 100") && !page.contains("Guest 101"), "{page}");
    let after = page.split_once("--after ").unwrap().1.split_whitespace().next().unwrap();
    let page = office.does(&["explain", "many", "--limit", "2", "--after", after]);
    assert!(
        page.contains("Guest 101") && page.contains("Guest 102") && !page.contains("Guest 103"),
        "{page}"
    );
    let page = office.does(&["explain", "01900000-0000-7000-8000-000000000200"]);
    assert!(page.contains("Guest 200") && page.contains("this one"), "{page}");
}

#[tokio::test]
async fn groups_and_plugins_are_listed_page_by_page() {
    let office = Office::open().await;
    let host = office.host();
    let key = create_key(&office.database, "desk", &["admin"]);
    let groups = "INSERT INTO groups (name) SELECT 'Group ' || lpad(n::text, 3, '0') FROM generate_series(1, 120) AS n";
    office.database.query(groups, &[]).await;
    let people = "WITH p AS (INSERT INTO person (username, name, active)
                             SELECT 'user' || lpad(n::text, 3, '0'), 'A person', n % 2 = 0
                             FROM generate_series(1, 150) AS n RETURNING id)
                  INSERT INTO membership SELECT g.id, p.id FROM groups g, p WHERE g.name = 'Group 007'";
    office.database.query(people, &[]).await;

    let (_, page) = get(&host, &key, "/v1/groups").await;
    assert_eq!((page["data"].as_array().unwrap().len(), &page["next"]), (100, &json!("Group 100")));
    let (_, rest) = get(&host, &key, "/v1/groups?after=Group%20100").await;
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["next"]), (20, &Value::Null));
    let large = &page["data"][6];
    assert_eq!(
        (&large["name"], &large["size"], &large["active"]),
        (&json!("Group 007"), &json!(150), &json!(75))
    );
    assert_eq!(large["members"].as_array().unwrap().len(), 100);
    let (_, large) = get(&host, &key, "/v1/groups/Group%20007").await;
    assert_eq!((&large["size"], &large["members"][99]), (&json!(150), &json!("user100")));
    let (_, people) = get(&host, &key, "/v1/people?group=Group%20007&after=user100").await;
    assert_eq!(
        (&people["data"][0]["username"], people["data"].as_array().unwrap().len()),
        (&json!("user101"), 50)
    );
    let listed = office.does(&["groups", "list"]);
    assert!(listed.contains("Group 120") && listed.contains("50 others"), "{listed}");

    assert_eq!(get(&host, &key, "/v1/plugins").await, (200, json!({"data": [], "next": null})));
    for wrong in ["/v1/groups?limit=0", "/v1/groups?page=2", "/v1/plugins?limit=1001", "/v1/plugins?page=2"] {
        assert_eq!(get(&host, &key, wrong).await.0, 400, "{wrong}");
    }
}
