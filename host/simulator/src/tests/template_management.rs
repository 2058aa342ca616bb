//! Templates: created with Meta's checks, reviewed, sent, edited, deleted.

use serde_json::{Value, json};

use super::{Limits, Running, template_to};

const LIST: &str = "/v23.0/102290129340398/message_templates";
const ANN: &str = "16505551234";

fn template(name: &str, components: Value) -> Value {
    json!({"name": name, "language": "en_US", "category": "UTILITY", "components": components})
}

fn body(text: &str, examples: &[&str]) -> Value {
    json!({"type": "BODY", "text": text, "example": {"body_text": [examples]}})
}

async fn create(running: &Running, template: &Value) -> (u16, Value) {
    running.request("POST", LIST, Some(template)).await
}

/// Creates a template and waits for the review's webhook. Returns its id.
async fn reviewed(running: &Running, template: &Value) -> (String, Value) {
    let (status, answer) = create(running, template).await;
    assert_eq!((status, &answer["status"]), (200, &json!("PENDING")), "{answer}");
    let id = answer["id"].as_str().unwrap().to_owned();
    let number: u64 = id.parse().unwrap();
    let event = running
        .hook
        .until(|hook| {
            let values = hook.values("message_template_status_update");
            values.into_iter().find(|value| value["message_template_id"] == number)
        })
        .await;
    (id, event)
}

#[tokio::test]
async fn a_template_is_reviewed_and_then_sent() {
    let running = Running::start(json!({"template_review_ms": 50}), Limits::unlimited()).await;
    let order = template(
        "order_on_its_way",
        json!([body("Hi {{1}}, your order {{2}} is on its way.", &["Ann", "5"])]),
    );
    let parameters = json!([{"type": "body", "parameters": [{"type": "text", "text": "Ann"}, {"type": "text", "text": "7"}]}]);
    let send = template_to(ANN, "order_on_its_way", parameters);
    assert_eq!(running.refused(&send).await, 132_001, "it does not exist yet");
    let (_, event) = reviewed(&running, &order).await;
    assert_eq!((&event["event"], &event["reason"]), (&json!("APPROVED"), &json!("NONE")));
    assert!(running.hook.bodies()[0]["entry"][0]["time"].is_number());
    assert_eq!(running.send(&send).await.0, 200, "outside of the window");
    let one = json!([{"type": "body", "parameters": [{"type": "text", "text": "Ann"}]}]);
    assert_eq!(running.refused(&template_to(ANN, "order_on_its_way", one)).await, 132_000);
    let image = json!([{"type": "body", "parameters": [{"type": "text", "text": "Ann"},
        {"type": "image", "image": {"id": "1"}}]}]);
    assert_eq!(running.refused(&template_to(ANN, "order_on_its_way", image)).await, 132_012);
    let long = json!([{"type": "body", "parameters": [{"type": "text", "text": "x".repeat(1000)}, {"type": "text", "text": "7"}]}]);
    assert_eq!(running.refused(&template_to(ANN, "order_on_its_way", long)).await, 132_005);
    let (_, rejected) = reviewed(
        &running,
        &template(
            "next_to_each_other",
            json!([body("All of your things {{1}} {{2}} are here.", &["a", "b"])]),
        ),
    )
    .await;
    assert_eq!((&rejected["event"], &rejected["reason"]), (&json!("REJECTED"), &json!("INVALID_FORMAT")));
    let (_, marked) =
        reviewed(&running, &template("simulate_rejection_1", json!([{"type": "BODY", "text": "Hello"}])))
            .await;
    assert_eq!(marked["event"], "REJECTED");
}

#[tokio::test]
async fn creation_is_checked_as_at_meta() {
    let running = Running::free().await;
    let subcode = async |components: Value| {
        let (status, answer) = create(&running, &template("checked", components)).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(100)), "{answer}");
        answer["error"]["error_subcode"].as_u64().unwrap_or_default()
    };
    assert_eq!(subcode(json!([body("{{1}}, your order is here now.", &["a"])])).await, 2_388_299);
    assert_eq!(subcode(json!([body("Your order is here now {{1}}", &["a"])])).await, 2_388_299);
    assert_eq!(subcode(json!([body("a {{1}} b {{2}} c {{3}} d", &["a", "b", "c"])])).await, 2_388_293);
    assert_eq!(subcode(json!([body("Your order {{2}} is here now.", &["a"])])).await, 2_388_072);
    assert_eq!(subcode(json!([body("Your order {{#1}} is here now.", &["a"])])).await, 2_388_072);
    assert_eq!(subcode(json!([body("Your order {{1} is here now.", &["a"])])).await, 2_388_072);
    assert_eq!(subcode(json!([{"type": "BODY", "text": "Your order {{1}} is here now."}])).await, 2_388_043);
    assert_eq!(subcode(json!([body(&"x".repeat(1025), &[])])).await, 2_388_040);
    assert_eq!(subcode(json!([{"type": "FOOTER", "text": "only"}])).await, 2_388_072);
    let with = |component: Value| json!([{"type": "BODY", "text": "Hello"}, component]);
    assert_eq!(subcode(with(json!({"type": "FOOTER", "text": "x".repeat(61)}))).await, 2_388_040);
    assert_eq!(subcode(with(json!({"type": "FOOTER", "text": "for {{1}}"}))).await, 2_388_073);
    assert_eq!(
        subcode(with(json!({"type": "HEADER", "format": "TEXT", "text": "{{1}} {{2}}"}))).await,
        2_388_047
    );
    assert_eq!(subcode(with(json!({"type": "HEADER", "format": "IMAGE"}))).await, 2_388_043);
    let label = json!({"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "x".repeat(26)}]});
    assert_eq!(subcode(with(label)).await, 2_388_040);
    let apart = json!({"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "a"},
        {"type": "PHONE_NUMBER", "text": "b", "phone_number": "1"}, {"type": "QUICK_REPLY", "text": "c"}]});
    assert_eq!(subcode(with(apart)).await, 0);
    let good = |name: &str| template(name, json!([{"type": "BODY", "text": "Hello"}]));
    assert_eq!(create(&running, &good("Capital")).await.0, 400);
    assert_eq!(create(&running, &good("once")).await.0, 200);
    let (_, again) = create(&running, &good("once")).await;
    assert_eq!(again["error"]["error_subcode"], 2_388_023);
    assert_eq!(again["error"]["error_user_title"], "Content in This Language Already Exists");
}

#[tokio::test]
async fn named_parameters_must_be_named() {
    let running = Running::free().await;
    let mut named = template(
        "named",
        json!([{"type": "BODY", "text": "Dear {{first_name}}, welcome to us.",
        "example": {"body_text_named_params": [{"param_name": "first_name", "example": "Ann"}]}}]),
    );
    named["parameter_format"] = "NAMED".into();
    reviewed(&running, &named).await;
    let send =
        |parameter: Value| template_to(ANN, "named", json!([{"type": "body", "parameters": [parameter]}]));
    let (status, answer) =
        running.send(&send(json!({"type": "text", "parameter_name": "first_name", "text": "Ann"}))).await;
    assert_eq!(status, 200, "{answer}");
    let (_, answer) = running.send(&send(json!({"type": "text", "text": "Ann"}))).await;
    assert_eq!(answer["error"]["code"], 100);
    assert_eq!(answer["error"]["error_data"]["details"], "Parameter name is missing or empty");
}

#[tokio::test]
async fn templates_are_listed_in_pages_and_read_by_id() {
    let running = Running::free().await;
    let mut url = format!("{}{LIST}?limit=2&fields=name,status", running.address);
    let mut names = Vec::new();
    loop {
        let page = running
            .client
            .get(&url)
            .bearer_auth(&running.simulator.settings().access_token)
            .send()
            .await
            .unwrap();
        let page: Value = page.json().await.unwrap();
        for template in page["data"].as_array().unwrap() {
            assert_eq!(template.as_object().unwrap().len(), 3, "id and what was asked for: {template}");
            names.push(template["name"].as_str().unwrap().to_owned());
        }
        match page["paging"]["next"].as_str() {
            Some(next) => url = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["hello_world", "sample_shipping_confirmation", "sample_issue_resolution"]);
    let (_, one) = running.request("GET", &format!("{LIST}?name=hello_world"), None).await;
    let id = one["data"][0]["id"].as_str().unwrap();
    let (_, hello) = running.request("GET", &format!("/v23.0/{id}?fields=name,status"), None).await;
    assert_eq!(hello, json!({"id": id, "name": "hello_world", "status": "APPROVED"}));
    let (_, unknown) = running.request("GET", "/v23.0/999", None).await;
    assert_eq!(unknown["error"]["error_subcode"], 33);
}

#[tokio::test]
async fn edits_deletions_and_pauses_have_metas_rules() {
    let running = Running::free().await;
    let (id, _) = reviewed(&running, &template("edited", json!([{"type": "BODY", "text": "Hello"}]))).await;
    let path = format!("/v23.0/{id}");
    let (status, _) = running.request("POST", &path, Some(&json!({"category": "MARKETING"}))).await;
    assert_eq!(status, 400, "an approved template keeps its category");
    let change = json!({"components": [{"type": "BODY", "text": "Good day"}]});
    assert_eq!(running.request("POST", &path, Some(&change)).await, (200, json!({"success": true})));
    running.hook.until(|hook| (hook.values("message_template_status_update").len() == 2).then_some(())).await;
    let (_, again) = running.request("POST", &path, Some(&change)).await;
    assert_eq!(again["error"]["error_subcode"], 2_388_039, "once in 24 hours");
    let pause = json!({"name": "edited", "status": "PAUSED"});
    running.request("POST", "/_simulator/templates", Some(&pause)).await;
    assert_eq!(running.refused(&template_to(ANN, "edited", json!([]))).await, 132_015);
    let (_, unpaused) = running.request("POST", &format!("{path}/unpause"), None).await;
    assert_eq!(unpaused, json!({"success": true}));
    assert_eq!(running.send(&template_to(ANN, "edited", json!([]))).await.0, 200);
    let disable = json!({"name": "hello_world", "status": "DISABLED"});
    running.request("POST", "/_simulator/templates", Some(&disable)).await;
    assert_eq!(running.refused(&template_to(ANN, "hello_world", json!([]))).await, 132_016);
    assert_eq!(running.request("DELETE", &format!("{LIST}?name=hello_world"), None).await.0, 400);
    assert_eq!(running.request("DELETE", &format!("{LIST}?name=edited"), None).await.0, 200);
    assert_eq!(running.refused(&template_to(ANN, "edited", json!([]))).await, 132_001);
    let (_, blocked) =
        create(&running, &template("edited", json!([{"type": "BODY", "text": "Hello"}]))).await;
    assert_eq!(blocked["error"]["error_user_title"], "Message Template Language Is Being Deleted");
}

#[tokio::test]
async fn marketing_is_not_sent_to_who_stopped_it_and_may_be_held() {
    let knobs = json!({"opted_out": [ANN], "held_for_quality": 1.0, "held_ms": 1});
    let running = Running::start(knobs, Limits::unlimited()).await;
    let mut sale = template("sale", json!([{"type": "BODY", "text": "Our sale is on!"}]));
    sale["category"] = "MARKETING".into();
    reviewed(&running, &sale).await;
    assert_eq!(running.refused(&template_to(ANN, "sale", json!([]))).await, 131_050);
    let (_, held) = running.send(&template_to("16505550000", "sale", json!([]))).await;
    assert_eq!(held["messages"][0]["message_status"], "held_for_quality_assessment");
    let wamid = held["messages"][0]["id"].as_str().unwrap();
    let sent = running.hook.until(|hook| hook.statuses(wamid).into_iter().next()).await;
    assert_eq!(
        sent["pricing"],
        json!({"billable": true, "pricing_model": "PMP", "type": "regular", "category": "marketing"})
    );
}
