#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::json;

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn post(pairs: &[(&str, &str)], body: &str) -> Result<Vec<Checked>, Problem> {
    let headers = headers(pairs);
    events(Way::of(&headers)?, &headers, body.as_bytes(), "/keys/shop", Timestamp::UNIX_EPOCH)
}

fn json_post(body: &str) -> Result<Vec<Checked>, Problem> {
    post(&[("content-type", "application/json")], body)
}

fn one(result: Result<Vec<Checked>, Problem>) -> Checked {
    result.map_err(|problem| problem.detail().to_owned()).unwrap().pop().unwrap()
}

fn refusal(result: Result<Vec<Checked>, Problem>) -> (String, Vec<String>) {
    let problem = result.err().unwrap();
    (problem.code().to_owned(), problem.errors().iter().map(|e| format!("{} {}", e.at, e.detail)).collect())
}

const CLOUD_EVENT: &str = r#"{"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.created",
    "subject": "order-7", "time": "2026-11-23T09:00:00Z", "datacontenttype": "application/json",
    "traceparent": "00-1", "data": {"a": 1}}"#;

#[test]
fn a_plain_event_needs_type_and_data_only() {
    let event = one(json_post(r#"{"type": "order.created", "data": {"a": 1}}"#)).event;
    assert_eq!(event.kind, "order.created");
    assert_eq!(event.key.source, "/keys/shop");
    assert_eq!(event.key.id.len(), 36);
    assert_eq!(event.time, Timestamp::UNIX_EPOCH);
    assert_eq!(event.data.get(), r#"{"a": 1}"#);
}

#[test]
fn one_event_in_three_forms_is_the_same_event() {
    let structured =
        one(post(&[("content-type", "application/cloudevents+json; charset=utf-8")], CLOUD_EVENT));
    let as_json = one(json_post(CLOUD_EVENT));
    let binary = one(post(
        &[
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "7"),
            ("ce-source", "/shop"),
            ("ce-type", "order.created"),
            ("ce-subject", "order%2D7"),
            ("ce-time", "2026-11-23T10:00:00+01:00"),
            ("ce-traceparent", "00-1"),
        ],
        r#"{"a": 1}"#,
    ));
    let batch =
        one(post(&[("content-type", "application/cloudevents-batch+json")], &format!("[{CLOUD_EVENT}]")));
    for other in [&as_json, &binary, &batch] {
        assert_eq!(other.event.key, structured.event.key);
        assert_eq!(other.event.subject, structured.event.subject);
        assert_eq!(other.event.extensions.as_ref().unwrap().get(), r#"{"traceparent":"00-1"}"#);
        assert_eq!(other.sha256, structured.sha256);
    }
    let other = CLOUD_EVENT.replace(r#""a": 1"#, r#""a": 2"#);
    assert_ne!(one(json_post(&other)).sha256, structured.sha256);
}

#[test]
fn everything_wrong_is_told_with_its_place() {
    let (code, errors) = refusal(json_post(r#"{"typ": "x", "time": "soon", "subject": {}, "id": ""}"#));
    assert_eq!(code, "invalid_event");
    assert_eq!(
        errors,
        [
            "/typ unknown member; did you mean `type`?; the payload belongs in `data`",
            r#"/time expected a time such as 2026-11-23T09:00:00Z (RFC 3339), got "soon""#,
            "/subject expected a text, got an object or an array",
            "/id must not be empty; omit it if there is nothing to say",
            "/type missing; expected the kind of event, for example order.created",
            "/data missing; send {} if the event has no data",
        ]
    );
}

#[test]
fn a_batch_names_each_bad_event() {
    let batch = json!([
        {"specversion": "1.0", "id": "1", "source": "/a", "type": "t"},
        {"specversion": "0.3", "id": "2", "source": "/a", "type": "t"},
        3,
        {"specversion": "1.0", "id": "4", "source": "/a", "type": "t", "data_base64": "AA=="},
    ]);
    let (_, errors) = refusal(post(&[("content-type", BATCH)], &batch.to_string()));
    assert_eq!(
        errors,
        [
            r#"/1/specversion expected "1.0", got "0.3""#,
            "/2 expected an object, a CloudEvent",
            "/3/data_base64 `data_base64` is not supported; send JSON in `data`",
        ]
    );
    let many = format!("[{}]", vec!["{}"; BATCH_EVENTS + 1].join(","));
    assert_eq!(refusal(post(&[("content-type", BATCH)], &many)).0, "batch_size");
    assert_eq!(refusal(post(&[("content-type", BATCH)], "[]")).0, "batch_size");
}

#[test]
fn what_is_no_event_is_refused_in_words() {
    let detail = |body: &str| json_post(body).err().unwrap().detail().to_owned();
    assert!(detail("[]").contains("send a batch of CloudEvents as application/cloudevents-batch+json"));
    assert!(detail("{").starts_with("The body is not valid JSON: EOF while parsing"), "{}", detail("{"));
    assert!(detail("hello").starts_with("The body is not valid JSON"), "{}", detail("hello"));
    assert!(detail("3").contains("expected a JSON object"), "{}", detail("3"));
    let deep = format!(r#"{{"type": "t", "data": {}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert!(detail(&deep).contains("deeper than 64"));
    assert!(detail(r#"{"type": "t", "data": "\u0000"}"#).contains("\\u0000"));
    let problem = post(&[("content-type", "text/plain")], "x").err().unwrap();
    assert_eq!(problem.code(), "unsupported_media_type");
}

#[test]
fn attributes_have_limits() {
    let long = "x".repeat(257);
    let (_, errors) = refusal(json_post(&json!({"type": long, "data": 1}).to_string()));
    assert_eq!(errors[0], "/type has 257 bytes; at most 256 are taken");
    let (_, errors) = refusal(json_post(&json!({"type": "a b", "data": 1}).to_string()));
    assert!(errors[0].contains("white space"));
    let (_, errors) = refusal(json_post(&CLOUD_EVENT.replace("traceparent", "trace_parent")));
    assert!(errors[0].contains("lower-case letters and digits"));
    let (_, errors) = refusal(json_post(&CLOUD_EVENT.replace("application/json", "text/xml")));
    assert!(errors[0].contains("only JSON is taken"));
}

#[test]
fn attributes_are_texts_and_extensions_are_scalars() {
    for (name, value) in [("id", "7"), ("type", "true"), ("subject", "1.5"), ("source", "0")] {
        let (_, errors) = refusal(json_post(&format!(r#"{{"type": "t", "data": 1, "{name}": {value}}}"#)));
        assert!(errors[0].starts_with(&format!("/{name} expected a text, got {value}")), "{errors:?}");
    }
    let extension = |value: &str| {
        json_post(&CLOUD_EVENT.replace(r#""traceparent": "00-1""#, &format!(r#""sampled": {value}"#)))
    };
    for good in [r#""yes""#, "true", "-7"] {
        let kept = one(extension(good)).event.extensions.unwrap();
        assert_eq!(kept.get(), format!(r#"{{"sampled":{good}}}"#));
    }
    assert!(one(extension("null")).event.extensions.is_none(), "null is as good as absent");
    for bad in ["1.5", "5000000000", "{}", "[]", r#""a\nb""#] {
        let (_, errors) = refusal(extension(bad));
        assert!(errors[0].starts_with("/sampled "), "{bad}: {errors:?}");
    }
}

#[test]
fn times_are_of_rfc_3339() {
    let at = |time: &str| json_post(&json!({"type": "t", "data": 1, "time": time}).to_string());
    for good in ["2026-11-23T09:00:00Z", "2026-11-23t10:00:00.000+01:00"] {
        assert_eq!(one(at(good)).event.time, "2026-11-23T09:00:00Z".parse().unwrap());
    }
    for bad in [
        "2026-11-23",
        "2026-11-23T09:00:00",
        "2026-11-23 09:00:00Z",
        "20261123T090000Z",
        "1.7e9",
        "2026-11-23T09:00:00+02:00[Africa/Harare]",
        "2026-13-01T00:00:00Z",
    ] {
        assert!(refusal(at(bad)).1[0].contains("RFC 3339"), "{bad}");
    }
}

#[test]
fn headers_are_unquoted_and_decoded() {
    let binary = |headers: &[(&str, &str)]| {
        let mut all = vec![("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
        all.extend(headers);
        post(&all, "")
    };
    let event = one(binary(&[("ce-subject", r#""a \"b\" %25 Z%C3%BCrich""#)])).event;
    assert_eq!(event.subject.as_deref(), Some("a \"b\" % Zürich"));
    assert_eq!(event.data.get(), "null");
    for bad in ["%FF", "a%00b"] {
        assert!(refusal(binary(&[("ce-subject", bad)])).1[0].starts_with("ce-subject "), "{bad}");
        assert!(refusal(binary(&[("ce-trace", bad)])).1[0].starts_with("ce-trace "), "{bad}");
    }
    let (_, errors) = refusal(post(&[("ce-type", "t"), ("content-type", "application/json")], "{}"));
    assert_eq!(
        errors,
        [
            "ce-specversion expected 1.0, got nothing",
            "ce-id missing; CloudEvents requires it",
            "ce-source missing; CloudEvents requires it",
        ]
    );
    let xml = post(&[("ce-type", "t"), ("content-type", "application/xml")], "<a/>");
    assert_eq!(refusal(xml).0, "unsupported_media_type");
}

#[test]
fn only_utf_8_is_read() {
    let body = r#"{"type": "t", "data": 1}"#;
    assert!(post(&[("content-type", "application/json; charset=\"UTF-8\"")], body).is_ok());
    let latin = post(&[("content-type", "application/json; charset=iso-8859-1")], body);
    assert_eq!(refusal(latin).0, "unsupported_media_type");
    let headers = headers(&[("content-type", "application/json")]);
    let bytes = b"{\"type\": \"t\", \"data\": \"\xff\"}";
    let problem =
        events(Way::One(Form::Plain), &headers, bytes, "shop", Timestamp::UNIX_EPOCH).err().unwrap();
    assert_eq!(problem.code(), "invalid_json");
}

#[test]
fn the_data_may_nest_64_deep_in_every_form() {
    let cloud_event = |data: &str| CLOUD_EVENT.replace(r#"{"a": 1}"#, data);
    for (levels, fits) in [(64, true), (65, false)] {
        let data = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let batch = format!("[{}]", cloud_event(&data));
        assert_eq!(json_post(&cloud_event(&data)).is_ok(), fits);
        assert_eq!(post(&[("content-type", BATCH)], &batch).is_ok(), fits);
        let binary = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
        assert_eq!(post(&binary, &data).is_ok(), fits);
    }
    let number = refusal(json_post(r#"{"type": "t", "data": {"a": 1e999}}"#));
    assert_eq!(number.0, "invalid_json");
}

#[test]
fn a_batch_with_an_event_that_is_too_large_is_too_large() {
    let large = cloud_event_of(EVENT_LIMIT);
    let batch = format!("[{CLOUD_EVENT}, {large}]");
    let (code, errors) = refusal(post(&[("content-type", BATCH)], &batch));
    assert_eq!(code, "event_too_large");
    assert!(errors.len() == 1 && errors[0].starts_with("/1 has "), "{errors:?}");
}

fn cloud_event_of(bytes: usize) -> String {
    CLOUD_EVENT.replace(r#"{"a": 1}"#, &format!("{:?}", "x".repeat(bytes)))
}
