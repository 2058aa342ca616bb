//! Replays as jobs of the hosts: over HTTP, through the death of a host, and commands that are interrupted.

use serde_json::{Value, json};

use super::{Past, ROUTE, kinds, rules};
use crate::harness::{SOON, assert_described, create_key, http, wait_until};

struct Api<'a> {
    past: &'a Past,
    key: String,
}

impl Api<'_> {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.past.host.url());
        let request = http().request(method.parse().unwrap(), url).bearer_auth(&self.key);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let media_type = answer.headers().get("content-type").map(|of| of.to_str().unwrap().to_owned());
        let answer: Value = answer.json().await.unwrap();
        assert_described(method, path.split('?').next().unwrap(), status, media_type.as_deref(), &answer);
        (status, answer)
    }

    async fn done(&self, id: i64) -> Value {
        let path = format!("/v1/replays/{id}");
        wait_until("the replay is done", SOON, async || {
            self.call("GET", &path, None).await.1["state"] == "done"
        })
        .await;
        self.call("GET", &path, None).await.1
    }
}

#[tokio::test]
async fn a_replay_over_http_is_made_by_a_host_also_after_its_death() {
    let old = rules(&[("notes/routes.yaml", ROUTE)]);
    let mut past = Past::of(old.path()).await;
    let events: Vec<Value> = (0..30).map(|n| json!({"type": "note", "data": {"n": n}})).collect();
    past.happened(&events).await;
    let new = rules(&[("notes/routes.yaml", &ROUTE.replace("Ops", "Desk"))]);
    let release = past.says(&["release", "create", "--rules", new.path().to_str().unwrap()]);
    let release = release.trim();
    let key = |scopes: &[&str]| create_key(&past.database, &scopes.join("-"), scopes);
    let keys = [key(&["read"]), key(&["read", "operate", "personal"])];
    {
        let [reader, actor] = keys.each_ref().map(|key| Api { past: &past, key: key.clone() });
        let body = json!({"release": release, "types": ["note"]});
        assert_eq!(reader.call("POST", "/v1/replays", Some(body.clone())).await.0, 403);
        let (status, created) = actor.call("POST", "/v1/replays", Some(body)).await;
        assert_eq!((status, &created["release"]), (202, &json!(release)), "{created}");
        let done = actor.done(created["id"].as_i64().unwrap()).await;
        assert_eq!(kinds(&done), [30, 0, 30, 0, 0], "{done}");
        assert_eq!(done["report"]["examples"][0]["then"]["recipient"], "15550200001");

        // Without `personal` no numbers and no texts.
        let masked = reader.call("GET", &format!("/v1/replays/{}", created["id"]), None).await.1;
        let example = &masked["report"]["examples"][0]["then"];
        assert_eq!(
            (&example["recipient"], &example["in_window"]),
            (&json!("…0001"), &Value::Null),
            "{masked}"
        );
        assert!(!masked.to_string().contains("15550200001"));

        for wrong in [
            json!({"release": release, "one_of": 0}),
            json!({"release": release, "until": "2020-01-01T00:00:00Z"}),
            json!({"release": release, "prices": [{"country": "x", "category": "utility", "price": 1, "currency": "USD"}]}),
        ] {
            assert_eq!(actor.call("POST", "/v1/replays", Some(wrong)).await.0, 400);
        }
        let (status, problem) =
            actor.call("POST", "/v1/replays", Some(json!({"release": "0123456789"}))).await;
        assert_eq!((status, &problem["code"]), (422, &json!("release_unknown")));
        assert_eq!(reader.call("GET", "/v1/replays/999999", None).await.0, 404);
        let (_, page) = reader.call("GET", "/v1/replays?limit=1", None).await;
        assert_eq!(page["data"][0]["totals"]["events"], 30);
        let diff = format!("/v1/replays/{0}/diff/{0}", created["id"]);
        let (status, same) = reader.call("GET", &diff, None).await;
        assert_eq!(
            (status, &same["numbers"], &same["same_choice"]),
            (200, &json!([]), &json!(true)),
            "{same}"
        );
        assert_eq!(reader.call("GET", "/v1/replays/999999/diff/1", None).await.0, 404);
    }

    // A host that was at it is gone: as if it had died halfway.
    let halfway = "UPDATE replay SET state = 'running', ended_at = NULL, runner = gen_random_uuid(), due_at = now() + interval '2 s',
                   place = (first_seq + last_seq) / 2, report = '{}', memory = '{}',
                   totals = '{\"events\": 15}' RETURNING id";
    past.host.kill();
    let id: i64 = past.database.query(halfway, &[]).await[0].get(0);
    past.host.restart();
    let actor = Api { past: &past, key: keys[1].clone() };
    let done = actor.done(id).await;
    let events = done["totals"]["events"].as_u64().unwrap();
    assert!((25..=35).contains(&events), "it goes on where the other one was: {done}");
}

#[tokio::test]
async fn a_command_that_was_interrupted_is_resumed_with_the_same_rules_only() {
    let old = rules(&[("notes/routes.yaml", ROUTE)]);
    let past = Past::of(old.path()).await;
    let events: Vec<Value> = (0..10).map(|n| json!({"type": "note", "data": {"n": n}})).collect();
    past.happened(&events).await;
    let new = rules(&[("notes/routes.yaml", &ROUTE.replace("Ops", "Desk"))]);
    let whole = past.replay(new.path());
    // As if the command had been killed after the first event.
    let killed = "UPDATE replay SET state = 'running', ended_at = NULL, due_at = now(), place = first_seq - 1, report = '{}',
                  memory = '{}', totals = '{}'";
    past.database.query(killed, &[]).await;
    let id = whole["id"].to_string();
    let listed = past.says(&["replay", "list"]);
    assert!(listed.contains("interrupted at 0 %"), "{listed}");
    let resume = |folder: &tempfile::TempDir| {
        past.run(&["replay", "resume", &id, "--json", "--rules", folder.path().to_str().unwrap()])
    };
    let other = resume(&old);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("tries other rules"), "{other:?}");
    let resumed = resume(&new);
    let resumed: Value = serde_json::from_slice(&resumed.stdout).unwrap();
    assert_eq!(resumed["totals"], whole["totals"]);
    assert_eq!(kinds(&resumed), [10, 0, 10, 0, 0]);

    let same = past.replay(old.path())["id"].to_string();
    let said = past.says(&["replay", "diff", &id, &same, "--json"]);
    let difference: Value = serde_json::from_str(&said).unwrap();
    let numbers = difference["numbers"].as_array().unwrap();
    for (what, one, other) in
        [("messages now", 10, 20), ("messages no longer sent", 10, 0), ("now, group Desk", 10, 0)]
    {
        assert!(numbers.contains(&json!({"what": what, "one": one, "other": other})), "{what}: {said}");
    }
    assert!(past.says(&["replay", "diff", &id, &same]).contains("messages to other people"));
    assert!(past.says(&["replay", "diff", &id, &id]).contains("found the same"));
    assert_eq!(past.run(&["replay", "diff", &id, "999999"]).status.code(), Some(1));
}
