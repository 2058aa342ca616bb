//! Releases over HTTP and in the console, and how old ones go.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CASE, Fleet, decides_by, rules};
use crate::harness::{SOON, assert_described, create_key, http, wait_until, write_rule};

/// A client of a host's API with one key.
struct Api {
    url: String,
    key: String,
}

impl Api {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request =
            http().request(method.parse().unwrap(), format!("{}{path}", self.url)).bearer_auth(&self.key);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let media_type = answer.headers().get("content-type").map(|of| of.to_str().unwrap().to_owned());
        let answer: Value = answer.json().await.unwrap();
        let described = path.split('?').next().unwrap();
        assert_described(method, described, status, media_type.as_deref(), &answer);
        (status, answer)
    }
}

#[tokio::test]
async fn releases_are_listed_compared_and_activated_over_http() {
    let fleet = Fleet::new().await;
    let folder = rules("One");
    let first = fleet.create(folder.path());
    fleet.says(&["release", "activate", &first]);
    let data = tempfile::tempdir().unwrap();
    let host = fleet.host(data.path(), None);
    write_rule(folder.path(), "notes/templates/note.j2", &format!("{}Two", super::FRONT));
    let second = fleet.create(folder.path());
    write_rule(folder.path(), "notes/cases/note.yaml", &CASE.replace("template: note", "no_route: true"));
    let created = fleet.run(&["release", "create", "--rules", folder.path().to_str().unwrap()]);
    let bad = String::from_utf8(created.stdout).unwrap().trim().to_owned();

    let api = |name: &str, scopes: &[&str]| Api {
        url: host.url().to_owned(),
        key: create_key(&fleet.database, name, scopes),
    };
    let (admin, reader) = (api("boss", &["admin"]), api("looks", &["read"]));
    let (status, page) = reader.call("GET", "/v1/releases?limit=2", None).await;
    let listed: Vec<&str> =
        page["data"].as_array().unwrap().iter().map(|of| of["release"].as_str().unwrap()).collect();
    assert_eq!((status, listed), (200, vec![bad.as_str(), second.as_str()]));
    let next = page["next"].as_str().unwrap();
    let (_, page) = reader.call("GET", &format!("/v1/releases?limit=2&after={next}"), None).await;
    assert_eq!((page["data"][0]["release"].as_str(), &page["next"]), (Some(first.as_str()), &Value::Null));
    assert_eq!(page["data"][0]["active"], true);
    assert_eq!(reader.call("GET", "/v1/releases?after=x", None).await.0, 400);
    let (status, detail) = reader.call("GET", &format!("/v1/releases/{second}"), None).await;
    assert_eq!((status, &detail["verdict"]["state"]), (200, &json!("passed")));
    assert_eq!(reader.call("GET", "/v1/releases/0123456789", None).await.0, 404);

    let diff = format!("/v1/releases/{first}/diff/{second}");
    assert_eq!(reader.call("GET", &diff, None).await.0, 403);
    let (_, difference) = admin.call("GET", &diff, None).await;
    assert_eq!(difference["files"][0]["path"], "rules/notes/templates/note.j2");
    assert!(difference["files"][0]["diff"].as_str().unwrap().contains("+Two"), "{difference}");
    let files = detail["files"].as_array().unwrap();
    let template = files.iter().find(|file| file["path"] == "rules/notes/templates/note.j2").unwrap();
    let file = format!("{}/v1/releases/{second}/files/{}", host.url(), template["sha256"].as_str().unwrap());
    let file = http().get(file).bearer_auth(&admin.key).send().await.unwrap();
    assert!(file.text().await.unwrap().ends_with("Two"));
    let unknown = format!("/v1/releases/{second}/files/{}", "0".repeat(64));
    assert_eq!(admin.call("GET", &unknown, None).await.0, 404);

    let activate = |release: &str| format!("/v1/releases/{release}/activate");
    assert_eq!(reader.call("POST", &activate(&second), Some(json!({}))).await.0, 403);
    let (status, activated) = admin.call("POST", &activate(&second), Some(json!({"reason": "better"}))).await;
    assert_eq!((status, &activated["changed"]), (200, &json!(true)));
    decides_by(&host, &second).await;
    let (status, problem) = admin.call("POST", &activate(&bad), Some(json!({}))).await;
    assert_eq!((status, &problem["code"]), (409, &json!("cases_fail")));
    assert!(problem["errors"][0]["at"].as_str().unwrap().starts_with("notes/cases/note.yaml:"), "{problem}");
    assert_eq!(admin.call("POST", &activate(&bad), Some(json!({"force": true}))).await.0, 400);
    let (status, back) = admin.call("POST", "/v1/releases/rollback", Some(json!({}))).await;
    assert_eq!((status, back["release"]["release"].as_str()), (200, Some(first.as_str())));
    decides_by(&host, &first).await;
    let (_, forced) =
        admin.call("POST", &activate(&bad), Some(json!({"force": true, "reason": "now"}))).await;
    assert_eq!(forced["forced"], true);
    decides_by(&host, &bad).await;
    let actions = fleet.says(&["actions", "--who", "boss", "--json"]);
    assert_eq!(actions.matches("release.").count(), 3, "{actions}");
    let (_, hosts) = reader.call("GET", "/v1/hosts", None).await;
    assert_eq!((&hosts["data"][0]["follows"], &hosts["data"][0]["refusal"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn releases_that_were_not_active_for_long_go_with_their_files() {
    let fleet = Fleet::new().await;
    let releases = ["One", "Two", "Three", "Four"].map(|text| fleet.create(rules(text).path()));
    for release in &releases[..3] {
        fleet.says(&["release", "activate", release]);
    }
    let database = &fleet.database;
    for (table, column) in [("release", "created_at"), ("release_file", "created_at"), ("activation", "at")] {
        let sql = format!("UPDATE {table} SET {column} = {column} - interval '100 days'");
        database.query(&sql, &[]).await;
    }
    fleet.says(&["release", "shadow", &releases[3], "--for", "2h"]);
    let data = tempfile::tempdir().unwrap();
    let mut host = fleet.host(data.path(), None);
    let left = async |count: i64| {
        let what = format!("{count} are left");
        let holds = async || database.count("SELECT count(*) FROM release").await == count;
        wait_until(&what, SOON, holds).await;
    };
    // The active one stays, the one before it, and the one that decides beside it.
    left(3).await;
    fleet.show(&releases[3]);
    fleet.says(&["release", "shadow", "stop"]);
    // It looks for what is old when it starts.
    host.restart();
    left(2).await;
    fleet.show(&releases[1]);
    fleet.show(&releases[2]);
    let orphans = "SELECT count(*) FROM release_file f
                   WHERE NOT EXISTS (SELECT FROM release_content c WHERE c.sha256 = f.sha256)";
    wait_until("their files go", SOON, async || database.count(orphans).await == 0).await;
    assert_eq!(database.count("SELECT count(*) FROM release_file").await, 5, "what both share stays");
    assert!(fleet.says(&["release", "rollback"]).contains(&releases[1]));
}

#[tokio::test]
async fn a_release_of_uploaded_files_is_the_one_that_the_command_creates() {
    let fleet = Fleet::new().await;
    let folder = rules("One");
    let first = fleet.create(folder.path());
    fleet.says(&["release", "activate", &first]);
    let data = tempfile::tempdir().unwrap();
    let host = fleet.host(data.path(), None);
    let admin = Api { url: host.url().to_owned(), key: create_key(&fleet.database, "ci", &["admin"]) };
    write_rule(folder.path(), "notes/templates/note.j2", &format!("{}Two", super::FRONT));
    let (mut files, mut uploads) = (Vec::new(), Vec::new());
    for path in ["groups.yaml", "notes/routes.yaml", "notes/templates/note.j2", "notes/cases/note.yaml"] {
        let content = std::fs::read(folder.path().join(path)).unwrap();
        let sha256 = hex::encode(Sha256::digest(&content));
        files.push(json!({"path": format!("rules/{path}"), "sha256": sha256}));
        uploads.push((sha256, content));
    }
    let new = json!({"files": files, "note": "by CI"});
    let (status, problem) = admin.call("POST", "/v1/releases", Some(new.clone())).await;
    assert_eq!((status, &problem["errors"][0]["at"]), (422, &json!("rules/notes/templates/note.j2")));
    let put = async |sha256: &str, content: Vec<u8>| {
        let url = format!("{}/v1/release-files/{sha256}", host.url());
        let request =
            http().put(url).bearer_auth(&admin.key).header("content-type", "application/octet-stream");
        request.body(content).send().await.unwrap().status().as_u16()
    };
    assert_eq!(put(&uploads[0].0, b"something else".to_vec()).await, 400);
    assert_eq!(put("abc", b"x".to_vec()).await, 400);
    for (sha256, content) in uploads {
        assert_eq!(put(&sha256, content).await, 204);
    }
    let (status, created) = admin.call("POST", "/v1/releases", Some(new.clone())).await;
    assert_eq!((status, &created["created"]), (201, &json!(true)));
    assert_eq!(created["release"]["verdict"]["state"], "passed");
    let release = created["release"]["release"].as_str().unwrap();
    assert_eq!(fleet.create(folder.path()), release);
    assert_eq!(admin.call("POST", "/v1/releases", Some(new)).await.0, 200);
    let activated = admin.call("POST", &format!("/v1/releases/{release}/activate"), Some(json!({}))).await;
    assert_eq!(activated.0, 200);
    decides_by(&host, release).await;
    let out = json!({"files": [{"path": "rules/../x", "sha256": files[0]["sha256"]}]});
    assert_eq!(admin.call("POST", "/v1/releases", Some(out)).await.0, 400);
    let odd = json!({"files": [{"path": "rules/what.txt", "sha256": files[0]["sha256"]}]});
    let (status, problem) = admin.call("POST", "/v1/releases", Some(odd)).await;
    assert_eq!((status, &problem["code"]), (422, &json!("release_unreadable")), "{problem}");
}
