//! Both texts of a message are shown before it is sent: the one for an open window, and the Meta template.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hookswitch_simulator::Settings;
use serde_json::{Value, json};

use crate::harness::{SOON, Stage, program, wait_until, write_file, write_rule};

const QUOTE: &str = "---\ndescription: A quote\ncategory: utility\nlanguage: en_US\n---\nDear customer, your quote has \
                     {{ lines | length }} line{% if lines | length != 1 %}s{% endif %} and this is in it:\n\
                     {% for line in lines %}\n- {{ line }}\n{% endfor %}\n\
                     {% if note %}\nNote: {{ note }}\n{% endif %}\nCall us at any time if you have a question.\n";
const ROUTE: &str = "- {on: quote, template: quote, contacts: [event.data.to], context: {lines: event.data.lines, \
                     note: event.data.note}}\n";
const OPEN: &str = "Dear customer, your quote has 1 line and this is in it:\n- 4 panels\nCall us at any time if you have a \
                    question.";
const CLOSED: &str = "Dear customer, your quote has 1 line and this is in it:\n- 4 panels\nNote: N/A\nCall us at any time \
                      if you have a question.";

fn event() -> Value {
    json!({"type": "quote", "id": "q-1", "data": {"to": "15550100001", "lines": ["4 panels"]}})
}

async fn stage(files: &[(&str, &str)]) -> Stage {
    let account = Settings::default().waba_id;
    Stage::builder()
        .rules(&[("quotes/routes.yaml", ROUTE), ("quotes/templates/quote.j2", QUOTE)])
        .rules(files)
        .file("parcels/files/parcel.png", PNG)
        .simulator(&["--unlimited"])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str())])
        .start()
        .await
}

/// Pushes the templates: the status, and what is said.
fn push(stage: &Stage) -> (i32, String) {
    let account = Settings::default();
    let mut command = program(&["templates", "push", "--yes", "--rules"]);
    command
        .arg(&stage.rules)
        .env("WHATSAPP_API_URL", stage.simulator.api_url())
        .env("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id)
        .env("WHATSAPP_ACCESS_TOKEN", account.access_token);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

/// What the recipient of the first message reads: the template at Meta, with the parameters that were sent.
async fn read(stage: &Stage) -> String {
    let templates = stage.simulator.templates().await;
    let template = templates.iter().find(|template| template["name"] == "quote").unwrap();
    let components = template["components"].as_array().unwrap();
    let mut text =
        components.iter().find(|it| it["type"] == "BODY").unwrap()["text"].as_str().unwrap().to_owned();
    let message = stage.simulator.messages().await.swap_remove(0);
    let parameters = message["request"]["template"]["components"][0]["parameters"].as_array().unwrap();
    for (number, parameter) in (1..).zip(parameters) {
        text = text.replace(&format!("{{{{{number}}}}}"), parameter["text"].as_str().unwrap());
    }
    text
}

#[tokio::test]
async fn what_is_shown_before_is_what_people_read() {
    let stage = stage(&[]).await;
    let (status, said) = push(&stage);
    assert_eq!(status, 0, "{said}");
    let file = stage.rules.join("../quote.json");
    std::fs::write(&file, event().to_string()).unwrap();
    let file = file.to_str().unwrap();

    let tried: Value = serde_json::from_str(&stage.says(&["rules", "try", "--json", file])).unwrap();
    let message = &tried["decisions"][0]["notifications"][0]["message"];
    assert_eq!((message["body"].as_str(), message["meta_body"].as_str()), (Some(OPEN), Some(CLOSED)));
    let said = stage.says(&["rules", "try", file]);
    for part in ["in an open 24-hour window:", "outside of it, as the Meta template quote:", "Note: N/A"] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
    let sent =
        ["send", "quote", "--to", "15550100001", "--context", "lines=[\"4 panels\"]", "--context", "note="];
    let said = stage.says(&[&sent[..], &["--dry-run"]].concat());
    assert!(
        said.contains("outside of it, as the Meta template quote:") && said.contains("Note: N/A"),
        "{said}"
    );

    stage.host.accept(&event()).await;
    wait_until("it is sent", SOON, async || !stage.simulator.messages().await.is_empty()).await;
    assert_eq!(read(&stage).await, CLOSED);
    let said = stage.says(&["explain", "q-1"]);
    assert!(
        said.contains("outside of it, as the Meta template quote:") && said.contains("Note: N/A"),
        "{said}"
    );
    let history: Value = serde_json::from_str(&stage.says(&["explain", "q-1", "--json"])).unwrap();
    assert_eq!(history["decisions"][0]["notifications"][0]["message"]["meta_body"], CLOSED);
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_case_may_expect_the_meta_template() {
    let case = |body: &str, parameters: &str| {
        format!(
            "- name: a quote\n  event: {}\n  expect:\n  - {{template: quote, meta_body: {body:?}, parameters: {parameters}}}\n",
            event()
        )
    };
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "quotes/routes.yaml", ROUTE);
    write_rule(folder.path(), "quotes/templates/quote.j2", QUOTE);
    let check = |case: &str| {
        write_rule(folder.path(), "quotes/cases/quote.yaml", case);
        let output = program(&["rules", "check", "--rules"]).arg(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = check(&case(CLOSED, "[1 line, '- 4 panels', N/A]"));
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = check(&case(OPEN, "[1 lines, '- 4 panels']"));
    assert!(
        status == Some(1) && said.contains("`meta_body` differs") && said.contains("`parameters` differs"),
        "{said}"
    );
}

#[tokio::test]
async fn a_template_that_meta_would_reject_holds_back_no_other() {
    let wrong = QUOTE
        .replace("A quote", "Another")
        .replace("Call us at any time if you have a question.\n", "Bye {{ x }}\n");
    let stage = stage(&[("quotes/templates/wrong.j2", wrong.as_str())]).await;
    let output = stage.run(&["rules", "check"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("it cannot be pushed to Meta: "), "{said}");
    let (status, said) = push(&stage);
    assert!(
        status == 1 && said.contains("ends with a value") && said.contains("quotes/templates/wrong.j2:"),
        "{said}"
    );
    let names: Vec<Value> = stage.simulator.templates().await.iter().map(|it| it["name"].clone()).collect();
    assert!(names.contains(&json!("quote")) && !names.contains(&json!("wrong")), "{names:?}");
}

#[tokio::test]
async fn what_no_case_reaches_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    write_rule(
        folder.path(),
        "quotes/routes.yaml",
        &format!("{ROUTE}{}", ROUTE.replace("on: quote", "on: other")),
    );
    write_rule(folder.path(), "quotes/templates/quote.j2", QUOTE);
    let case = format!("- name: a quote\n  event: {}\n  expect: [{{template: quote}}]\n", event());
    write_rule(folder.path(), "quotes/cases/quote.yaml", &case);
    let check = |arguments: &[&str]| {
        let mut command = program(&["rules", "check", "--rules"]);
        let output = command.arg(folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat()
    };
    assert!(check(&[]).contains("1 rule or template is reached by no case; to list them: --coverage"));
    let said = check(&["--coverage"]);
    assert!(said.contains("no case reaches this route") && said.contains("quotes/routes.yaml:2:"), "{said}");
    let found: Value = serde_json::from_str(&check(&["--coverage", "--json"])).unwrap();
    let findings = found["findings"].as_array().unwrap();
    assert!(
        findings.iter().any(|it| it["message"] == "no case reaches this route" && it["line"] == 2),
        "{found}"
    );
}

const PARCEL: &str = "---\ndescription: A parcel\ncategory: utility\nlanguage: en_US\nheader: {image: \"{{ photo }}\", \
                      example: files/parcel.png}\nbuttons:\n  - {title: Track it, url: \"https://shop.example/t/{{ number \
                      }}\"}\n  - {title: Call us, phone: \"+1 555 010 0009\"}\n---\nDear customer, your parcel {{ number }} \
                      is on its way to you.\n";
/// The beginning of an image.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const PARCEL_ROUTE: &str = "- {on: parcel, template: parcel, contacts: [event.data.to], context: {number: \
                            event.data.number, photo: event.data.photo}}\n";

fn parcel(id: &str, to: &str) -> Value {
    json!({"type": "parcel", "id": id, "data":
        {"to": to, "number": "P 7", "photo": "https://shop.example/7.jpg"}})
}

/// An image, a link and a call: pushed, shown, and sent in both windows as the simulator demands it.
#[tokio::test]
async fn headers_and_buttons_are_sent_as_a_template_and_in_a_window() {
    let stage =
        stage(&[("parcels/routes.yaml", PARCEL_ROUTE), ("parcels/templates/parcel.j2", PARCEL)]).await;
    let (status, said) = push(&stage);
    assert!(status == 0 && said.contains("(image)"), "{said}");
    let file = stage.rules.join("../parcel.json");
    std::fs::write(&file, parcel("p-0", "15550100001").to_string()).unwrap();
    let said = stage.says(&["rules", "try", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();
    for part in
        ["https://shop.example/7.jpg", "Track it · https://shop.example/t/P%207", "Call us: +15550100009"]
    {
        assert!(said.contains(part), "no {part:?}: {said}");
    }

    stage.host.accept(&parcel("p-1", "15550100001")).await;
    wait_until("the template is sent", SOON, async || stage.simulator.messages().await.len() == 1).await;
    let request = stage.simulator.messages().await.swap_remove(0)["request"].take();
    assert_eq!(
        request["template"]["components"][0]["parameters"],
        json!([{"type": "image", "image": {"link": "https://shop.example/7.jpg"}}])
    );
    assert_eq!(
        request["template"]["components"][2],
        json!({"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "P%207"}]})
    );

    stage.simulator.inbound(&json!({"from": "15550100001", "text": "hello"})).await;
    let opened = "SELECT count(*) FROM contact WHERE last_inbound_at IS NOT NULL";
    wait_until("the window is open", SOON, async || stage.database.count(opened).await == 1).await;
    stage.host.accept(&parcel("p-2", "15550100001")).await;
    wait_until("the message is sent", SOON, async || stage.simulator.messages().await.len() == 2).await;
    let request = stage.simulator.messages().await.swap_remove(1)["request"].take();
    let interactive = &request["interactive"];
    assert_eq!(interactive["type"], "cta_url", "{request}");
    assert_eq!(interactive["header"]["image"]["link"], "https://shop.example/7.jpg");
    assert!(interactive["body"]["text"].as_str().unwrap().ends_with("Call us: +15550100009"), "{request}");
}

#[tokio::test]
async fn a_case_may_expect_header_and_buttons_and_what_no_window_carries_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "parcels/routes.yaml", PARCEL_ROUTE);
    write_rule(folder.path(), "parcels/templates/parcel.j2", PARCEL);
    write_file(folder.path(), "parcels/files/parcel.png", PNG);
    let check = |number: &str| {
        let case = format!(
            "- name: a parcel\n  event: {}\n  expect:\n  - {{template: parcel, header: \"🖼 https://shop.example/7.jpg\", \
             buttons: [\"Track it: https://shop.example/t/{number}\", \"Call us: +15550100009\"]}}\n",
            parcel("p", "15550100001")
        );
        write_rule(folder.path(), "parcels/cases/parcel.yaml", &case);
        let output = program(&["rules", "check", "--rules"]).arg(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = check("P%207");
    assert_eq!(status, Some(0), "{said}");
    for part in ["note: in an open window", "it will read `Call us: +15550100009`", "1 note in "] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
    let (status, said) = check("P%208");
    assert!(status == Some(1) && said.contains("`buttons` differs"), "{said}");
}
