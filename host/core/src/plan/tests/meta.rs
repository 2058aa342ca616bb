//! Templates as Meta has them, and the versions in use.

use super::*;

/// The templates that the repository ships.
fn shipped() -> Templates {
    let mut sources = Vec::new();
    let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    for domain in std::fs::read_dir(rules).unwrap() {
        let Ok(files) = std::fs::read_dir(domain.unwrap().path().join("templates")) else { continue };
        for path in files.map(|file| file.unwrap().path()) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            sources.push(source(name, &std::fs::read_to_string(&path).unwrap()));
        }
    }
    let (templates, errors) = Templates::compile(sources);
    assert_eq!(errors, []);
    templates
}

#[test]
fn a_header_of_text_that_is_only_a_link_is_doubted() {
    let text = |header: &str| {
        format!(
            "---\ndescription: x\ncategory: utility\nlanguage: en_US\nheader: {header}\n---\nHere it is for you.\n"
        )
    };
    for header in
        ["https://example.com/a.png", "http://example.com/1", "menu.pdf", "\"https://example.com/{{ n }}\""]
    {
        let (templates, errors) = Templates::compile(vec![source("t", &text(header))]);
        assert_eq!(errors, [], "{header}");
        let doubts = doubts(&templates);
        assert_eq!(doubts.len(), 1, "{header}: {doubts:?}");
        assert_eq!(doubts[0].line, 5);
        assert!(doubts[0].message.starts_with("a header of text"), "{doubts:?}");
    }
    for header in
        ["See https://example.com", "\"Order {{ n }}\"", "v1.5", "{image: \"https://example.com/a.png\"}"]
    {
        let (templates, _) = Templates::compile(vec![source("t", &text(header))]);
        let of_headers =
            doubts(&templates).into_iter().filter(|doubt| doubt.message.contains("header of text"));
        assert_eq!(of_headers.count(), 0, "{header}");
    }
}

#[test]
fn all_shipped_templates_are_such_as_meta_takes() {
    let templates = shipped();
    let (definitions, findings) = definitions(&templates);
    assert_eq!(findings, []);
    assert_eq!(definitions.len(), 29);
    for definition in &definitions {
        assert_eq!(definition.examples.len(), definition.body.matches("{{").count(), "{definition:#?}");
        assert!(definition.examples.iter().all(|example| !example.is_empty()), "{definition:#?}");
    }
}

/// What Meta makes of a definition and the parameters of a message.
fn filled(definition: &MetaTemplate, parameters: &[String]) -> String {
    let mut text = definition.body.clone();
    for (index, value) in parameters.iter().enumerate() {
        text = text.replace(&format!("{{{{{}}}}}", index + 1), value);
    }
    text
}

#[test]
fn a_definition_with_the_parameters_is_the_text() {
    let templates = shipped();
    for name in templates.names() {
        let template = templates.get(name).unwrap();
        let words = |name: &String| (name.clone(), json!(format!("<{name}>")));
        let decision = Decision {
            template: name.into(),
            contacts: vec!["263770000001".into()],
            context: template.variables.iter().map(words).collect(),
            ..decision(&[])
        };
        let planned = planned(&templates, decision, &People::default());
        let message = &planned.notifications[0].notification.message;
        let definition = definition(template);
        assert_eq!(message.wording, definition.wording);
        assert_eq!(message.parameters.len(), definition.examples.len());
        assert_eq!(filled(&definition, &message.parameters), message.body, "{name}");
    }
}

/// Each optional value of the shipped templates, absent.
#[test]
fn no_shipped_template_has_a_gap_in_a_sentence() {
    let templates = shipped();
    assert_eq!(doubts(&templates), []);
    let mut absent = 0;
    for name in templates.names() {
        let template = templates.get(name).unwrap();
        let optional = |name: &&String| template.source.contains(&format!("{{% if {name} %}}"));
        for missing in template.variables.iter().filter(optional) {
            absent += 1;
            let value =
                |name: &String| if name == missing { Value::Null } else { json!(format!("<{name}>")) };
            let context = template.variables.iter().map(|name| (name.clone(), value(name))).collect();
            let decision = Decision {
                template: name.into(),
                contacts: vec!["263770000001".into()],
                context,
                ..decision(&[])
            };
            let planned = planned(&templates, decision, &People::default());
            let message = &planned.notifications[0].notification.message;
            assert_eq!(template.gaps(message).count(), 0, "{name} without {missing}");
            let text = message.meta_body.as_ref().unwrap();
            let lines: Vec<&str> = text.lines().filter(|line| line.contains("N/A")).collect();
            assert!(lines.len() == 1 && lines[0].ends_with(": N/A"), "{name} without {missing}: {text}");
        }
    }
    assert!(absent > 5, "{absent}");
}

fn message(templates: &Templates, context: Value) -> Message {
    let decision =
        Decision { contacts: vec!["263770000001".into()], context: self::context(context), ..decision(&[]) };
    planned(templates, decision, &People::default()).notifications[0].notification.message.clone()
}

#[test]
fn parameters_are_what_stands_in_the_text() {
    let templates = templates(
        "A {{ name | truncate(5) }}, {{ name }}\n{% if pin %}\nMap: {{ pin }}, {{ pin | upper }}\n{% endif %}\n\
         {% for i in items %}\n- {{ i }}\n{% endfor %}\nfor {{ recipient.username }} {% if n > 1 %}many{% endif %}.",
    );
    let some =
        message(&templates, json!({"name": "Tendai\u{1f}", "pin": "x", "items": [1, "b\u{1f}"], "n": 2}));
    assert_eq!(some.parameters, ["Tend…", "Tendai", "x, X", "- 1\n- b", "", "many"]);
    let none = message(&templates, json!({"name": null, "items": [], "n": 1}));
    assert_eq!(none.parameters, [""; 6]);
}

#[test]
fn long_parameters_are_cut_until_the_text_has_room_at_meta() {
    let templates = templates("Words {{ a }} and {{ b }} and {{ c }} end");
    let long = "line\n".repeat(200);
    let message = message(&templates, json!({"a": "short", "b": long, "c": "y".repeat(900)}));
    let lengths: Vec<usize> =
        message.parameters.iter().map(|p| p.replace('\n', " · ").chars().count()).collect();
    assert_eq!(lengths[0], 5);
    let total = lengths.iter().sum::<usize>() + "Words  and  and  end".len();
    assert!((1_015..=1_024).contains(&total), "{total}: {lengths:?}");
}

#[test]
fn what_meta_would_refuse_is_told_with_its_line() {
    let found = |front: &str, body: &str| {
        let text = format!("---\ndescription: x\ncategory: utility\nlanguage: en_US\n{front}---\n{body}");
        let (templates, errors) = Templates::compile(vec![source("t", &text)]);
        assert_eq!(errors, []);
        let told = |e: TemplateError| format!("{}:{}: {}", e.line, e.column, e.message);
        definitions(&templates).1.into_iter().map(told).collect::<Vec<_>>().join("\n")
    };
    let words = "many words that mean nothing at all stand here";
    assert_eq!(found("", &format!("Hi {{{{ a }}}}, {words}.")), "");
    assert_eq!(
        found("", &format!("{words}\n{{{{ a }}}}\n{{{{ b }}}}\nend")),
        "8:4: Meta rejects values without text between them; add text between `a` and `b`"
    );
    assert_eq!(
        found("", &format!("{{{{ a }}}} {words}")),
        "6:4: Meta rejects a template that begins with a value; add text before `a`"
    );
    assert_eq!(
        found("footer: x\n", &format!("{words}\n {{{{ a }}}}\n")),
        "8:5: Meta rejects a template that ends with a value; add text after `a`"
    );
    assert!(
        found("", "Hi {{ a }} there")
            .starts_with("6:7: too many values for Meta: 1 value with 2 words; add 1 word")
    );
    assert!(found("", &"long ".repeat(300)).starts_with("6:1: the body has 1499 characters"));
    assert!(found("", "{% raw %}{{{% endraw %} x").contains("double braces"));
    assert!(
        found("buttons: [{id: a, title: Yes}, {id: b, title: Yes}]\n", words)
            .starts_with("5:1: two buttons have the title")
    );
    assert_eq!(found("mode: text\n", "{{ a }}"), "", "never sent as a template");
    let twice = ["a", "b"].map(|name| source(name, &format!("{FRONT}{words}")));
    let (_, findings) = definitions(&Templates::compile(twice.to_vec()).0);
    assert!(findings[0].message.contains("x/templates/a.j2 has it too"), "{findings:?}");
}

#[test]
fn versions_have_numbers_at_the_end_of_their_names() {
    let numbers =
        ["t", "t_v2", "t_v10", "t_v1", "t_v02", "t_v", "tt", "t_vx"].map(|name| version_number("t", name));
    assert_eq!(numbers, [Some(1), Some(2), Some(10), None, None, None, None, None]);
    assert_eq!((version_name("t", 1), version_name("t", 2)), ("t".to_owned(), "t_v2".to_owned()));
}

#[test]
fn a_message_goes_out_with_the_name_and_the_parameters_of_the_version_in_use() {
    let newest = templates("New: {{ b }} and {{ a }}");
    let decision = Decision {
        context: context(json!({"a": 1, "b": 2})),
        contacts: vec!["263770000001".into()],
        ..decision(&[])
    };
    let verdict = Verdict { rule: None, outcome: Outcome::Notify(Box::new(decision)), asked: [].into() };
    let applied_by = |in_use: &InUse| {
        let mut planned = planned_with(&newest, Some(in_use), &verdict, &People::default());
        planned.notifications.remove(0).notification.message
    };
    let planned = message(&newest, json!({"a": 1, "b": 2}));
    let version = |name: &str, body: &str| {
        Arc::new(Version::compile(name, source("t", &format!("{FRONT}{body}"))).unwrap())
    };
    let in_use = |name: &str, body: &str| {
        InUse::new(BTreeMap::from([(("t".to_owned(), "en_US".to_owned()), vec![version(name, body)])]))
    };
    let old = in_use("t", "Old: {{ gone }} {{ a }}!");
    assert_eq!(old.approved("t", &planned), [], "its parameters are those of other words");
    let applied = applied_by(&old);
    assert_eq!(
        (applied.template.as_str(), applied.parameters.clone()),
        ("t", vec![String::new(), "1".into()])
    );
    assert_eq!(old.approved("t", &applied)[0].name, "t");

    let new = in_use("t_v2", "New: {{ b }} and {{ a }}");
    assert_eq!(new.approved("t", &planned)[0].name, "t_v2");
    let applied = applied_by(&new);
    assert_eq!((applied.template.as_str(), applied.parameters), ("t_v2", vec!["2".to_owned(), "1".into()]));

    // Planned before the switch, and sent after it.
    let both = vec![version("t_v3", "Newer"), version("t_v2", "New: {{ b }} and {{ a }}")];
    let both = InUse::new(BTreeMap::from([(("t".to_owned(), "en_US".to_owned()), both)]));
    assert_eq!(both.approved("t", &planned)[0].name, "t_v2");

    assert_eq!(InUse::new(BTreeMap::new()).approved("t", &planned), []);
    assert_eq!(InUse::default().approved("t", &planned)[0].name, "t", "nobody asks Meta");
}
