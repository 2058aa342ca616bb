//! Header and buttons: what is wrong in the front matter, and each value absent.

use super::*;
use crate::domain::{Action, Button, Header, Row, Section};

const FRONT: &str = "---\ndescription: x\ncategory: utility\nlanguage: en_US\n";

fn told(front: &str) -> Vec<String> {
    let text = format!("{FRONT}{front}\n---\nHello.\n");
    errors(&text).into_iter().map(|(_, _, message)| message).collect()
}

#[test]
fn what_no_message_can_have_is_told() {
    for (front, words) in [
        ("header: '*Order*'", "one line without formatting"),
        ("header: '{{ x }}'", "words beside its value"),
        ("header: '{{ x | nofilter }} order'", "nofilter"),
        ("header: {picture: x}", "unknown key `picture`"),
        ("header: {image: 'https://x.example/a', video: 'https://x.example/b'}", "has one of"),
        ("header: {image: 'https://x.example/a', filename: x}", "only a document"),
        ("header: {image: photo.jpg}", "begins with https://"),
        ("header: {image: 'files/{{ x }}.jpg'}", "cannot have variables"),
        ("header: {location: {latitude: 1}}", "`longitude` is missing"),
        ("buttons: [{title: A}]", "one of `id`, `url`, `phone`, `code`, `list` and `ask`"),
        (
            "buttons: [{title: A, id: a, phone: '+15550100001'}]",
            "one of `id`, `url`, `phone`, `code`, `list` and `ask`",
        ),
        ("buttons: [{title: A, url: 'x.example'}]", "begins with https://"),
        ("buttons: [{title: A, url: 'https://{{ host }}/x'}]", "begins with https://"),
        ("buttons: [{title: A, url: 'https://x.example{{ rest }}'}]", "after the host"),
        ("buttons: [{title: A, phone: '0777'}]", "country code"),
        ("buttons: [{title: A, code: X}]", "omit `title`"),
        ("buttons: [{code: a code that is too long}]", "1 to 15 characters"),
        ("buttons: [{code: a}, {code: b}]", "at most 1 code"),
        ("buttons: [{title: A, id: a}, {code: b}, {title: C, id: c}]", "next to each other"),
        ("buttons: [{title: A, list: []}]", "1 to 10 rows, got 0"),
        ("buttons: [{title: A, list: [{id: a}]}]", "`title` is missing"),
        ("buttons: [{title: A, list: [{id: a, title: A, text: x}]}]", "unknown key `text`"),
        ("buttons: [{title: A, list: [{id: a, title: a title that is far too long}]}]", "1 to 24 characters"),
        ("buttons: [{title: A, list: [{id: a, title: A}, {id: a, title: B}]}]", "have the id \"a\""),
        (
            "buttons: [{title: A, list: [{id: a, title: A}, {id: b, title: B, section: C}]}]",
            "the first one needs one",
        ),
        ("buttons: [{title: A, list: [{id: a, title: A}]}, {title: B, id: b}]", "cannot have quick replies"),
        ("buttons: [{list: [{id: a, title: A}]}]", "a button needs a `title`"),
        ("buttons: [{title: A, list: [{each: '{{ x }}', id: a, title: A}]}]", "`each` is an expression"),
        ("buttons: [{title: A, list: [{each: x y, id: a, title: A}]}]", ", in `x y`"),
        ("buttons: [{ask: address}]", "location"),
        ("buttons: [{title: Where, ask: location}]", "omit `title`"),
        ("header: {image: 'https://x.example/a'}\nbuttons: [{ask: location}]", "cannot have a file above it"),
    ] {
        let told = told(front);
        assert!(told.iter().any(|message| message.contains(words)), "{front}: {told:?}");
    }
}

/// A template with a value in each part.
const ALL: &str = "header: 'Order {{ number }}'\nbuttons:\n  - {id: ok, title: OK}\n  - {title: Track, url: \
                   'https://x.example/{{ path }}'}\n  - {title: Call, phone: '+1 555 010 0001'}\n  - {code: '{{ code }}'}";

fn message(front: &str, context: Value) -> Result<Message, String> {
    let text = format!("{FRONT}{front}\n---\nHello, it is on its way.\n");
    let (templates, errors) = Templates::compile(vec![source("t", &text)]);
    assert_eq!(errors, []);
    let decision = Decision {
        contacts: vec!["263770000001".into()],
        context: self::context(context),
        template: "t".into(),
        ..decision(&[])
    };
    let planned = planned(&templates, decision, &People::default());
    match planned.notifications.first() {
        Some(planned) => Ok(planned.notification.message.clone()),
        None => Err(planned.reason.unwrap()),
    }
}

#[test]
fn each_part_has_its_value() {
    let message = message(ALL, json!({"number": 7, "path": "a b/é", "code": "SUN10"})).unwrap();
    let Some(Header::Text(header)) = &message.header else { panic!("{message:?}") };
    assert_eq!((header.text.as_str(), header.value.as_deref()), ("Order 7", Some("7")));
    assert_eq!(message.buttons[1].action, Action::Url("https://x.example/a%20b/%C3%A9".into()));
    assert_eq!(message.buttons[1].suffix.as_deref(), Some("a%20b/%C3%A9"));
    assert_eq!(message.buttons[3].action, Action::Code("SUN10".into()));
    let open = message.in_window();
    assert_eq!(open.body.lines().last(), Some("Code: SUN10"));
    assert!(open.body.chars().count() <= 1_024 && open.buttons.len() == 1, "{open:?}");
}

/// Each value absent: either both faces are what Meta takes, or it fails in words.
#[test]
fn a_missing_value_fails_in_words_or_reads_well() {
    let all = json!({"number": 7, "path": "a", "code": "SUN10"});
    let without = |name: &str| {
        let mut context = all.clone();
        context[name] = Value::Null;
        message(ALL, context)
    };
    let header = without("number").unwrap().header.unwrap();
    assert_eq!(header.shown(), "Order N/A");
    let path = without("path").unwrap_err();
    assert!(path.contains("the button \"Track\": `{{ path }}` is empty"), "{path}");
    let code = without("code").unwrap_err();
    assert!(code.contains("a code has 1 to 15 characters, got \"\""), "{code}");
    for (front, words) in [
        ("header: {image: '{{ path }}'}", "the header's image must be a link to a file, got \"\""),
        ("header: {location: {latitude: '{{ path }}', longitude: 3}}", "latitude must be a number"),
    ] {
        let why = message(front, json!({"path": null})).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
}

/// A list of two rows in a section, and one that may be missing.
const LIST: &str = "buttons:\n  - title: Choose a time\n    list:\n      - {id: '{{ day }}-am', title: Morning, description: '{{ \
                    am }}', section: '2 December'}\n      - {id: '{{ day }}-pm', title: Afternoon}\n      - {id: other, \
                    title: '{{ other }}'}";

#[test]
fn a_list_has_the_rows_that_have_titles_and_a_template_has_no_list() {
    let with = |other: Value| message(LIST, json!({"day": "2", "am": "8 to 12", "other": other}));
    let two = with(Value::Null).unwrap();
    let row = |id: &str, title: &str, description: Option<&str>| Row {
        id: id.into(),
        title: title.into(),
        description: description.map(str::to_owned),
    };
    let rows = vec![row("2-am", "Morning", Some("8 to 12")), row("2-pm", "Afternoon", None)];
    let sections = vec![Section { title: Some("2 December".into()), rows }];
    assert_eq!(two.buttons[0].action, Action::List(sections));
    assert_eq!(two.buttons[0].line(), "Choose a time: Morning, Afternoon");
    assert_eq!(two.in_window().buttons, two.buttons);
    assert_eq!(two.as_template().buttons, []);
    assert!(!two.in_window().reads_as(&two.as_template()));
    let long = with(json!("Another day of your choice")).unwrap();
    assert_eq!(long.buttons[0].rows().last().map(String::as_str), Some("Another day of your cho…"));
    let twice = message(LIST, json!({"day": "2", "am": "", "other": null})).unwrap();
    let stored = serde_json::to_string(&twice).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), twice);
    let none = message("buttons: [{title: A, list: [{id: a, title: '{{ x }}'}]}]", json!({"x": ""}));
    assert!(none.unwrap_err().contains("the list \"A\": no row has a title"));
}

/// A row for each time, between two that are always there.
const EACH: &str = "buttons:\n  - title: Choose a time\n    list:\n      - {id: now, title: Now, section: Soon}\n      - {each: \
                    times, id: '{{ visit }} {{ item.id }}', title: '{{ item.name }}', description: 'at {{ item.place \
                    }}', section: Later}\n      - {id: no, title: Not at all}";

#[test]
fn a_list_has_a_row_for_each_item_of_an_array() {
    let with = |times: Value| message(EACH, json!({"visit": 7, "times": times}));
    let time = |id: u8, name: &str| json!({"id": id, "name": name, "place": "the\nshop"});
    let rows = |message: &Message| match &message.buttons[0].action {
        Action::List(sections) => sections.clone(),
        other => panic!("{other:?}"),
    };
    let two = with(json!([time(1, "Monday"), time(2, " "), time(3, "Friday")])).unwrap();
    let [soon, later] = rows(&two).try_into().unwrap();
    assert_eq!((soon.rows[0].title.as_str(), later.title.as_deref()), ("Now", Some("Later")));
    let of = |row: &Row| (row.id.clone(), row.title.clone(), row.description.clone());
    let at = |id: &str, title: &str| (id.to_owned(), title.to_owned(), Some("at the shop".to_owned()));
    let no = ("no".to_owned(), "Not at all".to_owned(), None);
    assert_eq!(later.rows.iter().map(of).collect::<Vec<_>>(), [at("7 1", "Monday"), at("7 3", "Friday"), no]);
    // Without any, and with the most that there can be.
    assert_eq!(rows(&with(json!([])).unwrap())[1].rows.len(), 1);
    let many = |count: u8| json!((0..count).map(|n| time(n, &format!("Day {n}"))).collect::<Vec<_>>());
    assert_eq!(rows(&with(many(8)).unwrap())[1].rows.len(), 9);

    for (times, why) in [
        (many(9), "a list has at most 10 rows, got 11; take fewer, for example `each: times[:10]`"),
        (json!([time(1, "A"), time(1, "B")]), "two rows have the id \"7 1\""),
        (
            json!([time(1, "The Monday after the next")]),
            "the title of a row of `times` has at most 24 characters, got",
        ),
        (
            json!([{"id": 1, "name": "A", "place": "x".repeat(80)}]),
            "the description of a row of `times` has at most 72",
        ),
        (
            json!([{"id": "y".repeat(200), "name": "A", "place": ""}]),
            "the id of the row \"A\" must have 1 to 200 characters",
        ),
        (json!(3), "`times`: "),
    ] {
        let said = with(times).unwrap_err();
        assert!(said.contains("the list \"Choose a time\": ") && said.contains(why), "{said}");
    }
    assert!(message(EACH, json!({"visit": 7})).unwrap_err().contains("times"));
}

#[test]
fn a_text_with_a_list_may_be_as_long_as_one_without() {
    let of_length = |buttons: &str, length: usize| {
        let text = format!("{FRONT}mode: text\nbuttons: {buttons}\n---\n{{{{ text }}}}");
        let (templates, errors) = Templates::compile(vec![source("t", &text)]);
        assert_eq!(errors, []);
        let decision = Decision {
            contacts: vec!["263770000001".into()],
            context: context(json!({"text": "x".repeat(length)})),
            ..decision(&[])
        };
        let planned = planned(&templates, decision, &People::default());
        planned.reason.filter(|_| planned.notifications.is_empty())
    };
    let list = "[{title: A, list: [{id: a, title: A}]}]";
    assert_eq!(of_length(list, 4_096), None);
    assert!(of_length(list, 4_097).unwrap().contains("the limit is 4096"));
    let reply = "[{title: A, id: a}]";
    assert_eq!(of_length(reply, 1_024), None);
    assert!(of_length(reply, 1_025).unwrap().contains("the limit is 1024"));
}

#[test]
fn a_request_for_a_location_stands_alone() {
    let asked = message(
        "header: Where\nbuttons: [{ask: location}, {title: Shop, url: 'https://x.example'}]",
        json!({}),
    );
    let open = asked.clone().unwrap().in_window();
    assert_eq!(open.buttons.iter().map(Button::line).collect::<Vec<_>>(), ["Send location"]);
    assert_eq!(open.body, "*Where*\n\nHello, it is on its way.\n\nShop: https://x.example");
    let stored = serde_json::to_string(&open).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), open);
    let at_meta = asked.unwrap().as_template();
    assert_eq!(at_meta.buttons.iter().map(|button| button.title.as_str()).collect::<Vec<_>>(), ["Shop"]);
}

#[test]
fn a_file_of_the_rules_is_named_by_its_path() {
    let file = message("header: {document: files/menu.pdf}", json!({})).unwrap().header.unwrap();
    assert_eq!(file.shown(), "📄 menu.pdf (x/files/menu.pdf)");
    let stored = serde_json::to_string(&file).unwrap();
    assert_eq!(stored, r#"{"document":{"rules":"x/files/menu.pdf","filename":"menu.pdf"}}"#);
    assert_eq!(serde_json::from_str::<Header>(&stored).unwrap(), file);
    let link = r#"{"image":{"link":"https://x.example/a.png"}}"#;
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Header>(link).unwrap()).unwrap(), link);
}

#[test]
fn an_old_version_is_sent_with_its_own_parts() {
    let (templates, _) =
        Templates::compile(vec![source("t", &format!("{FRONT}{ALL}\n---\nHello, it is on its way.\n"))]);
    let old = format!("{FRONT}buttons: [{{id: fine, title: Fine}}]\n---\nHello, it is on its way.\n");
    let version = Arc::new(Version::compile("t", source("t", &old)).unwrap());
    let in_use = InUse::new([(("t".to_owned(), "en_US".to_owned()), vec![version])].into());
    let decision = Decision {
        contacts: vec!["263770000001".into()],
        context: context(json!({"number": 7, "path": "a", "code": "SUN10"})),
        template: "t".into(),
        ..decision(&[])
    };
    let verdict = Verdict { rule: None, outcome: Outcome::Notify(Box::new(decision)), asked: [].into() };
    let planned = planned_with(&templates, Some(&in_use), &verdict, &People::default());
    let message = &planned.notifications[0].notification.message;
    assert_eq!(message.buttons.len(), 4);
    let at_meta = message.as_template();
    assert_eq!(at_meta.header, None);
    assert_eq!(at_meta.buttons, [Button::reply("fine", "Fine")]);
}
