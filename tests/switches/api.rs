//! Over HTTP: who may do what, what is answered, and what the check says.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ANN, note, stage};
use crate::harness::create_key;

#[tokio::test]
async fn keys_that_may_act_stop_and_resume() {
    let stage = stage().await;
    let reader = create_key(&stage.database, "reader", &["read"]);
    let desk = create_key(&stage.database, "desk", &["read", "operate"]);
    let stop = |reason: &str| Some(json!({"messages": "held", "reason": reason}));
    let id = stage.decide(note(ANN)).await;
    stage.notification(&id, "read").await;

    assert_eq!(stage.ask(&reader, Method::PUT, "/template/note", stop("x")).await.0, 403);
    assert_eq!(stage.ask(&reader, Method::DELETE, "/template/note", None).await.0, 403);
    assert_eq!(stage.ask("hsk_none", Method::GET, "", None).await.0, 401);
    assert_eq!(stage.ask(&reader, Method::GET, "", None).await, (200, json!({"data": []})));

    let (status, stopped) = stage.ask(&desk, Method::PUT, "/template/note", stop("call 15550100001")).await;
    assert_eq!((status, &stopped["by"], &stopped["messages"]), (200, &json!("desk"), &json!("held")));
    let id = stage.decide(note(ANN)).await;
    assert_eq!(stage.held(&id).await, "template note is stopped by desk: call 15550100001");
    let listed = stage.ask(&reader, Method::GET, "", None).await.1;
    assert_eq!(listed["data"][0]["held_messages"], 1);
    let reason = listed["data"][0]["reason"].as_str().unwrap();
    assert!(!reason.contains("15550100001") && reason.starts_with("call "), "{reason}");

    // A rule's name has slashes.
    let rule = "/rule/any%2Fany.rhai";
    assert_eq!(
        stage.ask(&desk, Method::PUT, rule, Some(json!({"messages": "dropped", "reason": "x"}))).await.0,
        200
    );
    assert_eq!(stage.ask(&desk, Method::DELETE, rule, None).await.1["name"], "any/any.rhai");
    assert_eq!(stage.ask(&desk, Method::PUT, "/sending/all", Some(json!({"reason": "all"}))).await.0, 200);
    assert_eq!(stage.ask(&desk, Method::DELETE, "/sending/all?reason=over", None).await.0, 200);

    for (path, body, expected) in [
        ("/template/noet", stop("x"), (404, "name_unknown")),
        ("/message/note", stop("x"), (400, "invalid_request")),
        ("/template/note", stop(""), (400, "invalid_request")),
        ("/template/note", Some(json!({"messages": "resuming", "reason": "x"})), (400, "invalid_body")),
    ] {
        let (status, problem) = stage.ask(&desk, Method::PUT, path, body).await;
        assert_eq!(status, expected.0, "{problem}");
        if expected.0 == 404 {
            assert_eq!(problem["code"], expected.1);
            assert!(problem["detail"].as_str().unwrap().contains("did you mean `note`?"), "{problem}");
        }
    }
    for query in ["per_second=0", "per_second=1001", "pace=1", "reason="] {
        let path = format!("/template/note?{query}");
        assert_eq!(stage.ask(&desk, Method::DELETE, &path, None).await.0, 400, "{query}");
    }
    let resumed = stage.ask(&desk, Method::DELETE, "/template/note?per_second=50", None).await;
    assert_eq!((resumed.0, &resumed.1["held_messages"]), (200, &json!(1)));
    stage.notification(&id, "read").await;
    let gone = stage.ask(&desk, Method::DELETE, "/person/ann", None).await;
    assert_eq!((gone.0, &gone.1["code"]), (404, &json!("not_stopped")));
}

#[tokio::test]
async fn a_character_that_cannot_be_stored_is_named() {
    let stage = stage().await;
    let desk = create_key(&stage.database, "desk", &["operate"]);
    let body = json!({"messages": "held", "reason": "a\0b"});
    let (status, problem) = stage.ask(&desk, Method::PUT, "/template/note", Some(body)).await;
    assert_eq!(
        (status, &problem["detail"]),
        (400, &json!("A reason must not contain the character U+0000."))
    );
}

#[tokio::test]
async fn the_check_says_what_is_stopped_and_how_to_resume_it() {
    let stage = stage().await;
    stage.says(&["stop", "group", "Night Shift", "--reason", "drill"]);
    let id = stage.decide(json!({"template": "note", "groups": ["Night Shift"], "context": {"n": 1}})).await;
    stage.held(&id).await;
    let report: Value = serde_json::from_slice(&stage.run(&["check", "--json"]).stdout).unwrap();
    let findings: Vec<&Value> = report["sections"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|section| section["findings"].as_array().unwrap())
        .filter(|finding| finding["id"] == "switch.stopped")
        .collect();
    assert_eq!(findings.len(), 1, "{report}");
    let (what, command) = (findings[0]["what"].as_str().unwrap(), findings[0]["command"].as_str().unwrap());
    assert!(
        what.starts_with("group Night Shift is stopped by ") && what.ends_with("; 1 message is held"),
        "{what}"
    );
    assert_eq!(findings[0]["severity"], "warning");
    assert!(command.starts_with("hookswitch resume group 'Night Shift'"), "{command}");
}
