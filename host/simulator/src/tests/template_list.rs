//! The list of templates: filters, pages, fields and its summary.

use serde_json::{Value, json};

use super::Running;

const LIST: &str = "/v23.0/102290129340398/message_templates";

/// The samples, and: a rejected one in German, a paused one with a footer and a button.
async fn running() -> Running {
    let running = Running::free().await;
    let german = json!({"name": "guten_tag", "language": "de", "category": "MARKETING",
        "components": [{"type": "BODY", "text": "Guten Tag, Welt"}]});
    let paused = json!({"name": "paused", "language": "en_US", "category": "UTILITY", "components": [
        {"type": "BODY", "text": "Your order is ready"}, {"type": "FOOTER", "text": "Shop"},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Gladly"}]}]});
    for (template, status) in [(german, "REJECTED"), (paused, "PAUSED")] {
        let (created, answer) = running.request("POST", LIST, Some(&template)).await;
        assert_eq!(created, 200, "{answer}");
        let set = json!({"name": template["name"], "status": status});
        assert_eq!(running.request("POST", "/_simulator/templates", Some(&set)).await.0, 200);
    }
    running
}

fn names(answer: &Value) -> Vec<&str> {
    answer["data"].as_array().unwrap().iter().map(|template| template["name"].as_str().unwrap()).collect()
}

async fn listed(running: &Running, query: &str) -> Vec<String> {
    let (status, answer) = running.request("GET", &format!("{LIST}?{query}"), None).await;
    assert_eq!(status, 200, "{query}: {answer}");
    names(&answer).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn filters_take_one_value_or_several() {
    let running = running().await;
    let samples = ["hello_world", "sample_shipping_confirmation", "sample_issue_resolution"];
    let with = |names: &[&'static str]| [&samples, names].concat();
    let cases: Vec<(&str, Vec<&'static str>)> = vec![
        ("status=approved", samples.to_vec()),
        ("status=REJECTED,PAUSED", vec!["guten_tag", "paused"]),
        ("status=%5B%22APPROVED%22,%20%22PAUSED%22%5D", with(&["paused"])),
        ("status=%5B%5D", with(&["guten_tag", "paused"])),
        ("status=ARCHIVED", vec![]),
        ("category=MARKETING,AUTHENTICATION", vec!["guten_tag"]),
        ("category=utility", with(&["paused"])),
        ("language=de", vec!["guten_tag"]),
        ("language=de,en_US", with(&["guten_tag", "paused"])),
        ("language=fr", vec![]),
        ("quality_score=UNKNOWN", with(&["guten_tag", "paused"])),
        ("quality_score=GREEN,RED", vec![]),
        ("name=sample", vec!["sample_shipping_confirmation", "sample_issue_resolution"]),
        ("content=guten", vec!["guten_tag"]),
        ("content=gladly", vec!["paused"]),
        ("content=hello_world", vec![]),
        ("content=hello+world", vec!["hello_world"]),
        ("name_or_content=paused", vec!["paused"]),
        ("name_or_content=shop", vec!["paused"]),
        ("status=PAUSED&category=MARKETING", vec![]),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(&running, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn what_graph_does_not_know_is_refused() {
    let running = Running::free().await;
    let cases = [
        ("status=OPEN", "Param status[0] must be one of {APPROVED, ARCHIVED, "),
        ("status=%5B%22APPROVED%22,%22OPEN%22%5D", "Param status[1] must be one of {"),
        ("status=%5B1%5D", "Param status must be an array of strings."),
        ("language=%5B%22de%22", "Param language must be an array of strings."),
        ("category=SPAM", "Param category[0] must be one of {"),
        (
            "quality_score=BLUE",
            "Param quality_score[0] must be one of {GREEN, RED, UNKNOWN, YELLOW} - got \"BLUE\".",
        ),
        ("limit=0", "Param limit must be an integer greater than or equal to 1."),
        ("limit=all", "Param limit must be"),
        (
            "fields=name,colour",
            "Tried accessing nonexisting field (colour) on node type (WhatsAppMessageTemplate)",
        ),
        ("summary=total_count,sum", "Tried accessing nonexisting summary field (sum)"),
    ];
    for (query, expected) in cases {
        let (status, answer) = running.request("GET", &format!("{LIST}?{query}"), None).await;
        let error = &answer["error"];
        assert_eq!(
            (status, &error["code"], &error["type"]),
            (400, &json!(100), &json!("OAuthException")),
            "{query}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("(#100) {expected}")), "{query}: {message}");
    }
    for cursor in ["after=x", "before=bm9uZQ=="] {
        let (status, answer) = running.request("GET", &format!("{LIST}?{cursor}"), None).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(2642)), "{cursor}");
    }
}

#[tokio::test]
async fn a_summary_counts_the_account() {
    let running = running().await;
    let query = "summary=total_count,message_template_count,message_template_limit,are_translations_complete";
    let (_, answer) = running.request("GET", &format!("{LIST}?{query}&status=PAUSED"), None).await;
    assert_eq!(names(&answer), ["paused"]);
    let summary = json!({"total_count": 5, "message_template_count": 5, "message_template_limit": 6000,
        "are_translations_complete": false});
    assert_eq!(answer["summary"], summary);
    let (_, answer) = running.request("GET", &format!("{LIST}?summary=total_count&name=none"), None).await;
    assert_eq!(answer, json!({"data": [], "summary": {"total_count": 5}}));
    let (_, answer) = running.request("GET", LIST, None).await;
    assert_eq!(answer.get("summary"), None);
    running.request("DELETE", &format!("{LIST}?name=guten_tag"), None).await;
    let (_, answer) = running.request("GET", &format!("{LIST}?{query}"), None).await;
    assert_eq!(answer["summary"]["are_translations_complete"], true);
}

#[tokio::test]
async fn pages_lead_on_and_back() {
    let running = running().await;
    let page = async |url: &str| -> Value {
        let token = &running.simulator.settings().access_token;
        running.client.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap()
    };
    let first = page(&format!("{}{LIST}?limit=2&fields=name&summary=total_count", running.address)).await;
    assert_eq!(names(&first), ["hello_world", "sample_shipping_confirmation"]);
    assert_eq!(first["paging"].get("previous"), None);
    let second = page(first["paging"]["next"].as_str().unwrap()).await;
    assert_eq!(names(&second), ["sample_issue_resolution", "guten_tag"]);
    assert_eq!(second["summary"]["total_count"], 5);
    // What a cursor stands on may go away.
    running.request("DELETE", &format!("{LIST}?name=guten_tag"), None).await;
    let third = page(second["paging"]["next"].as_str().unwrap()).await;
    assert_eq!(names(&third), ["paused"]);
    assert_eq!(third["paging"].get("next"), None);
    let back = page(third["paging"]["previous"].as_str().unwrap()).await;
    assert_eq!(names(&back), ["sample_shipping_confirmation", "sample_issue_resolution"]);
    let before = back["paging"]["cursors"]["before"].as_str().unwrap();
    let start = page(&format!("{}{LIST}?limit=2&before={before}", running.address)).await;
    assert_eq!(names(&start), ["hello_world"]);
    assert!(start["paging"].get("previous").is_none() && start["paging"]["next"].is_string());
}
