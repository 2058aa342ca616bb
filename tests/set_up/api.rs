//! The same over HTTP.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::Office;
use crate::harness::{Host, assert_described, create_key, http};

/// Somebody with a key, whose answers are held against the description.
pub struct Desk<'a> {
    pub host: &'a Host,
    pub key: String,
}

impl Desk<'_> {
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.host.url());
        let mut request = http().request(method.clone(), url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let media_type =
            response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let (status, body) = answer(response).await;
        assert_described(method.as_str(), path, status, media_type.as_deref(), &body);
        (status, body)
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }
}

async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

#[tokio::test]
async fn people_and_groups_are_kept_over_http() {
    let office = Office::open().await;
    let host = office.host();
    let desk = Desk { host: &host, key: create_key(&office.database, "desk", &["admin"]) };

    assert_eq!(desk.ask(Method::PUT, "/v1/groups/Night%20Shift", None).await.0, 201);
    assert_eq!(desk.ask(Method::PUT, "/v1/groups/Night%20Shift", None).await.0, 200);
    let ann =
        json!({"username": "ann", "name": "Ann", "whatsapp": "+263771234567", "groups": ["Night Shift"]});
    let (status, added) = desk.ask(Method::POST, "/v1/people", Some(ann.clone())).await;
    assert_eq!((status, &added["contact"]["wa_id"]), (201, &json!("263771234567")), "{added}");
    let (status, problem) = desk.ask(Method::POST, "/v1/people", Some(ann)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("person_exists")));

    let (_, group) = desk.get("/v1/groups/Night%20Shift").await;
    assert_eq!((&group["members"], &group["active"]), (&json!(["ann"]), &json!(1)));
    assert_eq!(desk.ask(Method::DELETE, "/v1/groups/Night%20Shift/members/ann", None).await.0, 204);
    assert_eq!(desk.ask(Method::PUT, "/v1/groups/Night%20Shift/members/ann", None).await.0, 204);
    let (status, problem) = desk.ask(Method::PUT, "/v1/groups/Night%20Shift/members/bob", None).await;
    assert_eq!((status, &problem["code"]), (404, &json!("person_unknown")));

    let change = json!({"name": "Ann Moyo", "active": false, "whatsapp": null});
    let (status, changed) = desk.ask(Method::PATCH, "/v1/people/ann", Some(change)).await;
    assert_eq!(
        (status, &changed["active"], &changed["contact"]),
        (200, &json!(false), &Value::Null),
        "{changed}"
    );
    let wrong = json!({"whatsapp": "077", "active": true});
    let (status, problem) = desk.ask(Method::PATCH, "/v1/people/ann", Some(wrong)).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_value")));
    assert_eq!(desk.get("/v1/people/ann").await.1["active"], false, "a refusal changes nothing");
    let (status, problem) = desk.ask(Method::PATCH, "/v1/people/ann", Some(json!({"nme": "x"}))).await;
    assert_eq!(status, 400, "{problem}");

    let bob = json!({"username": "bob", "name": "Bob", "groups": ["Night Shift", "Nigth Shift"]});
    let (status, problem) = desk.ask(Method::POST, "/v1/people", Some(bob)).await;
    assert_eq!((status, &problem["code"]), (422, &json!("group_unknown")), "{problem}");
    assert_eq!(problem["errors"], json!([{"at": "/groups/1", "detail": "unknown group \"Nigth Shift\""}]));
    assert_eq!(desk.get("/v1/people/bob").await.0, 404);

    for username in ["bob", "eve"] {
        desk.ask(Method::POST, "/v1/people", Some(json!({"username": username, "name": username}))).await;
    }
    let (_, first) = desk.get("/v1/people?limit=2").await;
    assert_eq!((first["data"].as_array().unwrap().len(), &first["next"]), (2, &json!("bob")));
    let (_, rest) = desk.get("/v1/people?limit=2&after=bob").await;
    assert_eq!((&rest["data"][0]["username"], &rest["next"]), (&json!("eve"), &Value::Null));
    assert_eq!(desk.get("/v1/people?limit=0").await.0, 400);
    assert_eq!(desk.get("/v1/people?group=None").await.1["code"], "group_unknown");
    let (_, contacts) = desk.get("/v1/contacts?unlinked=true").await;
    assert_eq!(contacts["data"][0]["wa_id"], "263771234567");
    assert_eq!(desk.ask(Method::DELETE, "/v1/groups/Night%20Shift", None).await.0, 204);
    assert_eq!(desk.get("/v1/groups").await.1, json!({"data": [], "next": null}));

    let import = |csv: &'static str| {
        let url = format!("{}/v1/people/import", host.url());
        http().post(url).bearer_auth(&desk.key).header("content-type", "text/csv").body(csv).send()
    };
    let (status, problem) = answer(import("username,name\nzoe,\n").await.unwrap()).await;
    assert_eq!((status, &problem["errors"][0]["at"]), (400, &json!("line 2")), "{problem}");
    let (status, imported) = answer(import("username,name\nzoe,Zoe\nann,Ann\n").await.unwrap()).await;
    assert_eq!((status, &imported["added"], &imported["updated"]), (200, &json!(1), &json!(1)), "{imported}");
}

#[tokio::test]
async fn only_an_admin_keeps_people() {
    let office = Office::open().await;
    let host = office.host();
    let desk = Desk { host: &host, key: create_key(&office.database, "producer", &["events", "read"]) };
    for path in ["/v1/people", "/v1/people/ann", "/v1/groups", "/v1/groups/Ops", "/v1/contacts"] {
        assert_eq!(desk.get(path).await.1["code"], "scope_missing", "{path}");
    }
    assert_eq!(desk.ask(Method::POST, "/v1/people", Some(json!({}))).await.0, 403);
}

#[tokio::test]
async fn types_of_its_own_take_an_admins_key() {
    let office = Office::open().await;
    let host = office.host();
    let test = json!({"type": "hookswitch.test", "data": {"template": "greeting", "users": ["ann"]}});
    let (status, problem) = self::answer(host.post_event(&test).await).await;
    assert_eq!((status, &problem["code"]), (403, &json!("reserved_type")), "{problem}");
    assert_eq!(problem["errors"][0]["at"], "/type", "{problem}");
    let batch = json!([
        {"specversion": "1.0", "id": "1", "source": "/a", "type": "guest.arrived"},
        {"specversion": "1.0", "id": "2", "source": "/a", "type": "hookswitch.test"},
    ]);
    let answer = host.post(batch.to_string().into(), "application/cloudevents-batch+json").await.unwrap();
    let (status, problem) = self::answer(answer).await;
    assert_eq!((status, &problem["errors"][0]["at"]), (403, &json!("/1/type")), "{problem}");
    assert_eq!(office.database.count("SELECT count(*) FROM event").await, 0, "all or nothing");

    let desk = Desk { host: &host, key: create_key(&office.database, "desk", &["admin"]) };
    let (status, posted) = desk.ask(Method::POST, "/v1/events", Some(test)).await;
    assert_eq!(status, 202, "{posted}");
}
