#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hookswitch_core::{
    domain::{Action, Button, File, FileSource, Header, HeaderText, Location, Row, Section},
    plan::parameter,
};
use serde_json::{Value, json};

use super::*;

fn message(body: &str) -> Message {
    Message {
        body: body.to_owned(),
        template: "order_created".to_owned(),
        language: "en_US".to_owned(),
        ..Message::default()
    }
}

fn sent(to: &str, form: Form, message: &Message) -> Value {
    let mut body: Value =
        serde_json::from_slice(&request(to, form, message, Some("<MEDIA_ID>"), "0198:1")).unwrap();
    assert_eq!(body.as_object_mut().unwrap().remove("biz_opaque_callback_data"), Some(json!("0198:1")));
    body
}

/// Meta's example, with a valid recipient.
fn meta(example: &str) -> Value {
    let mut example: Value = serde_json::from_str(example).unwrap();
    example["to"] = json!("+16505551234");
    example
}

#[test]
fn text_is_as_in_metas_example() {
    let example = meta(include_str!("../testdata/send-requests/send-text-message.json"));
    assert_eq!(sent("16505551234", Form::Text, &message("text-message-content")), example);
}

#[test]
fn buttons_are_as_in_metas_example() {
    let mut message = message("<BUTTON_TEXT>");
    message.buttons = (1..=2)
        .map(|n| Button::reply(format!("<UNIQUE_BUTTON_ID_{n}>"), format!("<BUTTON_TITLE_{n}>")))
        .collect();
    let mut example = meta(include_str!("../testdata/send-requests/send-reply-button.json"));
    assert_eq!(sent("16505551234", Form::Text, &message), example);

    message.footer = Some("Reply STOP to stop".to_owned());
    example["interactive"]["footer"] = json!({"text": "Reply STOP to stop"});
    assert_eq!(sent("16505551234", Form::Text, &message), example);
}

#[test]
fn a_template_without_parameters_is_as_in_metas_example() {
    let mut message = message("never sent");
    message.template = "hello_world".to_owned();
    let mut example = meta(include_str!("../testdata/send-requests/send-test-message.json"));
    // The example leaves out what is the default.
    example["recipient_type"] = json!("individual");
    assert_eq!(sent("16505551234", Form::Template, &message), example);
}

#[test]
fn template_parameters_are_as_in_metas_example() {
    let mut message = message("never sent");
    message.template = "template-name".to_owned();
    message.language = "language-and-locale-code".to_owned();
    message.parameters = vec!["text-string".to_owned()];
    let mut example = meta(include_str!("../testdata/send-requests/send-message-template-text.json"));
    // The other two kinds of parameters, currency and date, are sent as the text that the rule made.
    example["template"]["components"][0]["parameters"].as_array_mut().unwrap().truncate(1);
    assert_eq!(sent("16505551234", Form::Template, &message), example);
}

#[test]
fn a_user_id_goes_into_recipient() {
    let body = sent("US.13491208655302741918", Form::Text, &message("hello"));
    assert_eq!(body["recipient"], "US.13491208655302741918");
    assert_eq!(body.get("to"), None);
}

#[test]
fn a_plus_is_not_doubled() {
    assert_eq!(sent("+16505551234", Form::Text, &message("hello"))["to"], "+16505551234");
}

#[test]
fn a_footer_of_plain_text_is_an_italic_last_line() {
    let mut message = message("Order 7 is ready");
    message.footer = Some("Sent by\nHookswitch ".to_owned());
    let body = sent("1650555", Form::Text, &message);
    assert_eq!(body["text"]["body"], "Order 7 is ready\n\n_Sent by Hookswitch_");
    message.footer = Some(" ".to_owned());
    assert_eq!(sent("1650555", Form::Text, &message)["text"]["body"], "Order 7 is ready");
}

#[test]
fn long_texts_are_cut_by_characters_and_keep_their_footer() {
    let mut long = message(&"é".repeat(5000));
    let body = sent("1650555", Form::Text, &long);
    let text = body["text"]["body"].as_str().unwrap();
    assert_eq!(text.chars().count(), TEXT_BODY);
    assert!(text.ends_with("é…"));

    long.footer = Some("the end".to_owned());
    let body = sent("1650555", Form::Text, &long);
    let text = body["text"]["body"].as_str().unwrap();
    assert_eq!(text.chars().count(), TEXT_BODY);
    assert!(text.ends_with("é…\n\n_the end_"));

    long.buttons = vec![Button::reply("a", "A")];
    let body = sent("1650555", Form::Text, &long);
    assert_eq!(body["interactive"]["body"]["text"].as_str().unwrap().chars().count(), INTERACTIVE_BODY);

    let fits = "é".repeat(TEXT_BODY);
    assert_eq!(sent("1650555", Form::Text, &message(&fits))["text"]["body"], fits);
}

#[test]
fn parameters_are_cleaned_as_meta_demands() {
    for (value, clean) in [
        ("Pablo", "Pablo"),
        ("", "N/A"),
        (" \n\t ", "N/A"),
        ("first\nsecond", "first · second"),
        ("first\r\n\r\n  second\n", "first · second"),
        ("a\tb", "a b"),
        ("a\u{2028}b", "a · b"),
        ("a\u{0}b", "a b"),
        ("four    spaces", "four    spaces"),
        ("five     spaces", "five spaces"),
        ("mixed  \t\t  run", "mixed run"),
        ("  edges  ", "edges"),
    ] {
        assert_eq!(parameter(value), clean, "{value:?}");
    }
    assert!(matches!(parameter("Pablo"), Cow::Borrowed(_)));
    let long = parameter(&"ß\n".repeat(2000)).into_owned();
    assert_eq!(long.chars().count(), 1_024);
    assert!(long.ends_with('…'));
}

fn order() -> Message {
    let button = |title: &str, action, suffix: Option<&str>| Button {
        title: title.to_owned(),
        action,
        suffix: suffix.map(str::to_owned),
    };
    Message {
        header: Some(Header::Text(HeaderText { text: "Order 7".to_owned(), value: Some("7".to_owned()) })),
        buttons: vec![
            Button::reply("ok", "OK"),
            button("Track", Action::Url("https://x.example/t/7".to_owned()), Some("7")),
            button("Shop", Action::Url("https://x.example".to_owned()), None),
            button("Call us", Action::Phone("+15550100001".to_owned()), None),
            button("Copy offer code", Action::Code("SUN10".to_owned()), None),
        ],
        ..message("It is on its way.")
    }
}

#[test]
fn buttons_that_take_a_value_are_sent_with_it() {
    let components = sent("1650555", Form::Template, &order())["template"]["components"].take();
    let button = |kind: &str, index: &str, parameter: Value| json!({"type": "button", "sub_type": kind, "index": index, "parameters": [parameter]});
    assert_eq!(
        components,
        json!([
            {"type": "header", "parameters": [{"type": "text", "text": "7"}]},
            button("quick_reply", "0", json!({"type": "payload", "payload": "ok"})),
            button("url", "1", json!({"type": "text", "text": "7"})),
            button("copy_code", "4", json!({"type": "coupon_code", "coupon_code": "SUN10"})),
        ])
    );
}

#[test]
fn in_a_window_what_fits_no_free_form_message_becomes_text() {
    let mut message = order();
    let interactive = sent("1650555", Form::Text, &message)["interactive"].take();
    assert_eq!(interactive["header"], json!({"type": "text", "text": "Order 7"}));
    assert_eq!(
        interactive["body"]["text"],
        "It is on its way.\n\nTrack: https://x.example/t/7\nShop: https://x.example\nCall us: +15550100001\n\
         Code: SUN10"
    );
    assert_eq!(interactive["action"]["buttons"].as_array().unwrap().len(), 1);

    message.buttons.drain(..1);
    let text = sent("1650555", Form::Text, &message)["text"]["body"].take();
    assert!(text.as_str().unwrap().starts_with("*Order 7*\n\nIt is on its way.\n\nTrack: https"), "{text}");
}

#[test]
fn a_single_link_is_a_button_in_a_window_too() {
    let mut message = order();
    message.buttons.retain(|button| button.title == "Track");
    let interactive = sent("1650555", Form::Text, &message)["interactive"].take();
    assert_eq!(interactive["type"], "cta_url");
    assert_eq!(
        interactive["action"],
        json!({"name": "cta_url", "parameters": {"display_text": "Track", "url": "https://x.example/t/7"}})
    );
}

#[test]
fn a_file_is_a_header_of_the_template_and_a_message_with_a_caption_in_a_window() {
    let file = File {
        source: FileSource::Link("https://x.example/7.pdf".to_owned()),
        filename: Some("Invoice 7.pdf".to_owned()),
    };
    let json = json!({"link": "https://x.example/7.pdf", "filename": "Invoice 7.pdf"});
    let mut message = message("Your invoice.");
    message.header = Some(Header::Document(file));
    message.footer = Some("Hanna".to_owned());
    assert_eq!(
        sent("1650555", Form::Template, &message)["template"]["components"],
        json!([{"type": "header", "parameters": [{"type": "document", "document": json}]}])
    );
    let mut captioned = json.clone();
    captioned["caption"] = json!("Your invoice.\n\n_Hanna_");
    let body = sent("1650555", Form::Text, &message);
    assert_eq!((&body["type"], &body["document"]), (&json!("document"), &captioned));
    message.buttons = vec![Button::reply("ok", "OK")];
    let header = sent("1650555", Form::Text, &message)["interactive"]["header"].take();
    assert_eq!(header, json!({"type": "document", "document": json}));
}

#[test]
fn a_place_is_a_map_in_the_template_and_a_line_in_a_window() {
    let mut message = message("We meet here.");
    let (name, address) = ("Site 4".to_owned(), String::new());
    message.header = Some(Header::Location(Location { latitude: -17.83, longitude: 31.05, name, address }));
    assert_eq!(
        sent("1650555", Form::Template, &message)["template"]["components"][0]["parameters"],
        json!([{"type": "location", "location": {"latitude": -17.83, "longitude": 31.05, "name": "Site 4"}}])
    );
    assert_eq!(
        sent("1650555", Form::Text, &message)["text"]["body"],
        "Site 4, https://maps.google.com/?q=-17.83,31.05\n\nWe meet here."
    );
}

#[test]
fn a_list_is_as_in_metas_example() {
    let row = |section: usize, row: usize| Row {
        id: format!("<LIST_SECTION_{section}_ROW_{row}_ID>"),
        title: format!("<SECTION_{section}_ROW_{row}_TITLE>"),
        description: Some(format!("<SECTION_{section}_ROW_{row}_DESC>")),
    };
    let section = |n: usize| Section {
        title: Some(format!("<LIST_SECTION_{n}_TITLE>")),
        rows: vec![row(n, 1), row(n, 2)],
    };
    let mut message = message("<BODY_TEXT>");
    let text = "<HEADER_TEXT>".to_owned();
    message.header = Some(Header::Text(HeaderText { text, value: None }));
    message.footer = Some("<FOOTER_TEXT>".to_owned());
    let action = Action::List(vec![section(1), section(2)]);
    message.buttons = vec![Button { title: "<BUTTON_TEXT>".to_owned(), action, suffix: None }];
    let example = meta(include_str!("../testdata/send-requests/send-list-message.json"));
    assert_eq!(sent("16505551234", Form::Text, &message), example);
    let template = sent("16505551234", Form::Template, &message)["template"].take();
    assert_eq!(template.get("components"), None, "no template has a list: {template}");
}

#[test]
fn a_request_for_a_location_is_as_meta_describes_it() {
    let mut message = message("Where do we meet?");
    message.footer = Some("Hanna".to_owned());
    message.buttons =
        vec![Button { title: "Send location".to_owned(), action: Action::AskLocation, suffix: None }];
    assert_eq!(
        sent("16505551234", Form::Text, &message)["interactive"],
        json!({"type": "location_request_message", "body": {"text": "Where do we meet?\n\n_Hanna_"},
            "action": {"name": "send_location"}})
    );
}

/// Meta's examples of files by id and by link, each sent from a file of the rules or from a link.
#[test]
fn files_are_as_in_metas_examples() {
    for (example, has_caption) in [
        (include_str!("../testdata/send-requests/send-document-message-by-id.json"), true),
        (include_str!("../testdata/send-requests/send-document-message-by-url.json"), true),
        (include_str!("../testdata/send-requests/send-image-message-by-id.json"), false),
        (include_str!("../testdata/send-requests/send-image-message-by-url.json"), false),
        (include_str!("../testdata/send-requests/send-video-message-by-id.json"), true),
        (include_str!("../testdata/send-requests/send-video-message-by-url.json"), true),
    ] {
        let mut example = meta(example);
        let kind = example["type"].as_str().unwrap().to_owned();
        let text = |member: &str| example[&kind][member].as_str().map(str::to_owned);
        let source = match text("link") {
            Some(link) => FileSource::Link(link),
            None => FileSource::Rules("shop/files/x".to_owned()),
        };
        let (is_uploaded, caption) = (text("id").is_some(), text("caption"));
        let mut message = message(caption.as_deref().unwrap_or("There is always a text."));
        let file = File { source, filename: text("filename") };
        message.header = Some(match kind.as_str() {
            "image" => Header::Image(file),
            "video" => Header::Video(file),
            _ => Header::Document(file),
        });
        if is_uploaded {
            example[&kind]["id"] = json!("<MEDIA_ID>");
        }
        assert_eq!(caption.is_some(), has_caption, "{kind}");
        if !has_caption {
            example[&kind]["caption"] = json!("There is always a text.");
        }
        assert_eq!(sent("16505551234", Form::Text, &message), example, "{kind}");
    }
}

#[test]
fn a_reply_is_as_in_metas_example() {
    let mut message = message("<TEXT_MSG_CONTENT>");
    message.reply_to = Some("<MSGID_OF_PREV_MSG>".to_owned());
    let example = meta(include_str!("../testdata/send-requests/send-reply-to-text-message.json"));
    assert_eq!(sent("16505551234", Form::Text, &message), example);
}

#[test]
fn a_template_with_a_file_and_buttons_is_as_in_metas_example() {
    let mut message = message("never sent");
    message.template = "template-name".to_owned();
    message.language = "language-and-locale-code".to_owned();
    let link = "http(s)://the-image-url".to_owned();
    message.header = Some(Header::Image(File { source: FileSource::Link(link), filename: None }));
    message.parameters = vec!["text-string".to_owned()];
    message.buttons =
        vec![Button::reply("aGlzIHRoaXMgaXMgY29v", "One"), Button::reply("9rwnB8RbYmPF5t2Mn09x4h", "Two")];
    let mut example = meta(include_str!("../testdata/send-requests/send-message-template-interactive.json"));
    // The other two kinds of parameters, currency and date, are sent as the text that the rule made.
    example["template"]["components"][1]["parameters"].as_array_mut().unwrap().truncate(1);
    assert_eq!(sent("16505551234", Form::Template, &message), example);
}
