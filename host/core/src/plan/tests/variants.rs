//! Variants of a template in several languages.

use super::*;

fn variant(file: &str, language: &str, more: &str, body: &str) -> TemplateSource {
    TemplateSource {
        name: "thanks".into(),
        file: format!("x/templates/{file}.j2"),
        text: format!("---\ndescription: x\ncategory: utility\nlanguage: {language}\n{more}---\n{body}"),
    }
}

fn thanks() -> Templates {
    let (templates, errors) = Templates::compile(vec![
        variant("thanks.en_US", "en_US", "fallback: true\n", "Thank you, dear {{ name }}, see you."),
        variant("thanks.pt_BR", "pt_BR", "", "Muito obrigado, {{ name }}, até logo."),
        variant("thanks.de", "de", "", "Vielen Dank, {{ name }}, bis bald."),
    ]);
    assert_eq!(errors, []);
    templates
}

#[test]
fn the_nearest_variant_is_picked_and_the_fallback_otherwise() {
    let templates = thanks();
    for (wanted, picked) in [
        (Some("pt_BR"), "pt_BR"),
        (Some("pt-br"), "pt_BR"),
        (Some("pt_PT"), "pt_BR"),
        (Some("de_AT"), "de"),
        (Some("fr"), "en_US"),
        (Some(""), "en_US"),
        (None, "en_US"),
    ] {
        let template = templates.for_language("thanks", wanted).unwrap();
        assert_eq!(template.language, picked, "{wanted:?}");
    }
    assert_eq!(templates.names(), ["thanks"]);
    assert_eq!(definitions(&templates).0.len(), 3);
    assert!(definitions(&templates).0.iter().all(|definition| definition.name == "thanks"));
    assert_eq!(definitions(&templates).1, []);
}

#[test]
fn a_decision_is_told_in_its_language_as_the_version_of_that_language() {
    let templates = thanks();
    let version = |file: &str, language: &str, body: &str| {
        Arc::new(Version::compile("thanks_v2", variant(file, language, "", body)).unwrap())
    };
    let in_use = InUse::new(BTreeMap::from([
        (
            ("thanks".to_owned(), "pt_BR".to_owned()),
            vec![version("a", "pt_BR", "Obrigado, {{ name }}, tchau.")],
        ),
        (
            ("thanks".to_owned(), "en_US".to_owned()),
            vec![version("b", "en_US", "Thanks, {{ name }}, bye bye.")],
        ),
    ]));
    let message = |language: Option<&str>| {
        let decision = Decision {
            template: "thanks".into(),
            contacts: vec!["263770000001".into()],
            context: context(json!({"name": "Ana"})),
            language: language.map(str::to_owned),
            ..decision(&[])
        };
        let verdict = Verdict { rule: None, outcome: Outcome::Notify(Box::new(decision)), asked: [].into() };
        let planned = planned_with(&templates, Some(&in_use), &verdict, &People::default());
        planned.notifications[0].notification.message.clone()
    };
    let portuguese = message(Some("pt_BR"));
    assert_eq!(
        (portuguese.body.as_str(), portuguese.language.as_str()),
        ("Muito obrigado, Ana, até logo.", "pt_BR")
    );
    assert_eq!(portuguese.meta_body.as_deref(), Some("Obrigado, Ana, tchau."));
    assert_eq!(in_use.approved("thanks", &portuguese)[0].language, "pt_BR");
    let english = message(Some("fr"));
    assert_eq!(
        (english.body.as_str(), english.language.as_str()),
        ("Thank you, dear Ana, see you.", "en_US")
    );
    let german = message(Some("de"));
    assert_eq!(in_use.approved("thanks", &german), [], "no version in German is approved");
}

#[test]
fn what_is_wrong_with_variants_is_told() {
    let told = |sources: Vec<TemplateSource>| {
        let (_, errors) = Templates::compile(sources);
        errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; ")
    };
    let of = |file: &str, language: &str, more: &str| variant(file, language, more, "Text.");
    assert_eq!(told(vec![of("thanks", "en", ""), of("thanks.pt_BR", "pt_BR", "")]), "");
    assert_eq!(told(vec![of("thanks.pt_BR", "pt_BR", "")]), "");
    assert_eq!(
        told(vec![of("thanks.pt_BR", "pt_PT", "")]),
        "the file is named for pt_BR, but its language is pt_PT"
    );
    assert_eq!(
        told(vec![of("thanks.en", "en", ""), of("thanks.de", "de", "")]),
        "none of the variants of `thanks` is for readers of other languages"
    );
    assert_eq!(
        told(vec![of("thanks", "en", ""), of("thanks.de", "de", "fallback: true\n")]),
        "`thanks` has two variants for readers of other languages"
    );
    assert_eq!(
        told(vec![of("thanks", "en", ""), of("thanks.en", "en", "")]),
        "x/templates/thanks.j2 has the same name and language"
    );
}
