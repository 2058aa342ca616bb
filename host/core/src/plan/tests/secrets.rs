//! Authentication templates, and values that must not stay.

use super::*;
use crate::domain::{Action, Collect, CollectBy, HIDDEN};

const CODE: &str = "---\ndescription: x\ncategory: authentication\nlanguage: en_US\nadd_security_recommendation: true\n\
                    code_expiration_minutes: 10\nbuttons: [{code: '{{ code }}'}]\n---\n*{{ code }}* is your code.";

fn code(code: Value) -> Planned {
    of(CODE, Decision { context: context(json!({"code": code})), ..decision(&[]) })
}

fn of(text: &str, decision: Decision) -> Planned {
    let (templates, errors) = Templates::compile(vec![source("t", text)]);
    assert_eq!(errors, []);
    planned(&templates, Decision { contacts: vec!["263770000001".into()], ..decision }, &People::default())
}

#[test]
fn a_one_time_code_has_metas_words_outside_the_window() {
    let planned = code(json!("482913"));
    let message = &planned.notifications[0].notification.message;
    let outside = message.as_template();
    assert_eq!(
        outside.body,
        "*482913* is your verification code. For your security, do not share this code."
    );
    assert_eq!(outside.footer.as_deref(), Some("This code expires in 10 minutes."));
    assert_eq!(outside.buttons[0].action, Action::Code("482913".into()));
    assert_eq!(message.parameters, ["482913"]);
    let window = message.in_window();
    assert_eq!(
        (window.body.as_str(), window.footer, window.buttons),
        ("*482913* is your code.", None, vec![])
    );
}

#[test]
fn what_meta_takes_for_no_code_is_not_sent() {
    for wrong in ["", "1234567890123456", "https://x.example", "12🎉"] {
        let planned = code(json!(wrong));
        assert_eq!(planned.outcome, DecisionOutcome::Failed, "{wrong}");
        let reason = planned.reason.unwrap();
        assert!(wrong.is_empty() || !reason.contains(wrong), "{reason}");
    }
}

#[test]
fn what_is_chosen_wrongly_in_an_authentication_template_is_told() {
    for (key, instead, words) in [
        ("code_expiration_minutes: 10", "code_expiration_minutes: 91", "1 to 90 minutes"),
        ("code_expiration_minutes: 10", "header: Code", "no header"),
        ("code_expiration_minutes: 10", "footer: Shop", "`code_expiration_minutes` instead"),
        ("[{code: '{{ code }}'}]", "[]", "has one button, which copies the code"),
        ("[{code: '{{ code }}'}]", "[{code: '123'}]", "has one button, which copies the code"),
        ("[{code: '{{ code }}'}]", "[{code: '{{ code }}'}, {id: a, title: A}]", "has one button"),
        ("category: authentication", "category: utility", "for the category authentication only"),
        (
            "category: authentication",
            "category: authentication\nsensitive: [cod]",
            "which the template does not use",
        ),
    ] {
        let told: Vec<String> =
            errors(&CODE.replace(key, instead)).into_iter().map(|(_, _, message)| message).collect();
        assert!(told.iter().any(|message| message.contains(words)), "{instead}: {told:?}");
    }
}

#[test]
fn the_copy_that_is_kept_has_no_value_whatever_is_made_of_it() {
    let text = "---\ndescription: x\ncategory: utility\nlanguage: en_US\nsensitive: [pin, link]\n\
                buttons: [{title: Open, url: 'https://x.example/{{ link }}'}]\n---\n\
                Your pin is {{ pin[:3] }}-{{ pin[3:] | upper }}, {{ name }}, {{ note }}.";
    let given = json!({"pin": "482abc", "link": "a/Zx81kk", "name": "Ann", "note": "not 482abc"});
    let planned = of(text, Decision { context: context(given), ..decision(&[]) });
    let message = &planned.notifications[0].notification.message;
    assert_eq!(message.body, "Your pin is 482-ABC, Ann, not 482abc.");
    let kept = planned.notifications[0].kept.as_deref().unwrap();
    let json = serde_json::to_string(kept).unwrap().to_lowercase();
    for part in ["482", "abc", "zx81"] {
        assert!(!json.contains(part), "{part} in {json}");
    }
    assert!(kept.is_kept && kept.body.contains("Ann"), "{kept:?}");
    assert!(!format!("{:?}", planned.secrets).contains("482"));
}

#[test]
fn what_cannot_be_taken_out_is_not_sent() {
    let secret = |more: fn(&mut Decision)| {
        let mut decision = Decision { context: context(json!({"code": "482913"})), ..decision(&[]) };
        more(&mut decision);
        of(CODE, decision).reason.unwrap_or_default()
    };
    assert_eq!(secret(|_| {}), "");
    for (words, more) in [
        ("`dedupe_key` has a value", (|d| d.dedupe_key = Some("login 482913".into())) as fn(&mut Decision)),
        ("`key` has a value", |d| d.key = Some("482913".into())),
        ("`cancel` has a value", |d| d.cancel = vec!["482913".into()]),
        ("cannot be collected", |d| {
            d.collect = Some(Collect { time: SignedDuration::from_mins(10), by: CollectBy::Group })
        }),
    ] {
        let reason = secret(more);
        assert!(reason.contains(words) && !reason.contains("482913"), "{reason}");
    }
    let again = code(json!(HIDDEN)).reason.unwrap();
    assert!(again.contains("post a new event"), "{again}");
}
