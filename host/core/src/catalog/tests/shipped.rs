//! Each template that the repository ships, with each subset of its optional values: both faces are such as Meta takes,
//! and the snapshots are for whoever judges whether they read well.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use serde_json::Value;

use crate::{
    catalog::{Catalog, case::Case, load, run, together::CaseResult},
    domain::{Action, Decision, Header, Message, Mode, Outcome, People, Senders, Verdict},
    plan::{Planner, Template, parameter},
};

/// Of more values than this, all subsets are too many: they are left out one by one, and all at once.
const SUBSETS_OF: usize = 8;

/// The first decision of the cases for a template.
struct Sample<'a> {
    case: &'a Case,
    result: CaseResult,
    decision: Decision,
    /// The values that some case leaves blank.
    blank: BTreeSet<String>,
}

fn shipped(folder: &str) -> Catalog {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    load(&folder.as_path().into()).unwrap_or_else(|findings| panic!("{findings}"))
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// By the name of each template. A value that its first case leaves blank is that of another case, where there is one of
/// this name.
fn samples(catalog: &Catalog) -> BTreeMap<String, Sample<'_>> {
    let mut samples: BTreeMap<String, Sample<'_>> = BTreeMap::new();
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    for case in &catalog.cases {
        for result in run::decided(catalog, case) {
            let Outcome::Notify(decision) = &result.verdict.outcome else { continue };
            let decision = Decision::clone(decision);
            let blank = decision.context.iter().filter(|(_, value)| is_blank(value));
            let blank: Vec<String> = blank.map(|(name, _)| name.clone()).collect();
            for (name, value) in decision.context.iter().filter(|(_, value)| !is_blank(value)) {
                values.entry(name.clone()).or_insert_with(|| value.clone());
            }
            let name = decision.template.clone();
            let sample = Sample { case, result, decision, blank: BTreeSet::new() };
            samples.entry(name).or_insert(sample).blank.extend(blank);
        }
    }
    for sample in samples.values_mut() {
        for (name, value) in sample.decision.context.iter_mut().filter(|(_, value)| is_blank(value)) {
            *value = values.get(name).cloned().unwrap_or_else(|| format!("<{name}>").into());
        }
    }
    samples
}

impl Sample<'_> {
    /// The message in a variant's language without some of its values; why there is none.
    fn message(&self, catalog: &Catalog, template: &Template, without: &[&str]) -> Result<Message, String> {
        let mut decision = Decision {
            groups: Vec::new(),
            users: Vec::new(),
            contacts: vec!["15550100001".into()],
            language: Some(template.language.clone()),
            collect: None,
            ..self.decision.clone()
        };
        for name in without {
            decision.context.insert((*name).to_owned(), Value::Null);
        }
        let planner = Planner {
            templates: &catalog.templates,
            senders: &Senders::any(),
            in_use: None,
            people: &People::default(),
            now: self.case.now,
        };
        let verdict = Verdict { outcome: Outcome::Notify(Box::new(decision)), ..self.result.verdict.clone() };
        let mut planned = planner.plan(&self.result.event, &verdict);
        match planned.notifications.pop() {
            Some(planned) if planned.skipped.is_none() => Ok(planned.notification.message),
            Some(planned) => Err(planned.skipped.unwrap_or_default()),
            None => Err(planned.reason.unwrap_or_default()),
        }
    }
}

/// The values that a template can do without, by its own words or by a case.
fn optional<'a>(template: &'a Template, sample: &Sample<'_>) -> Vec<&'a str> {
    let is_optional = |name: &&String| {
        template.source.contains(&format!("{{% if {name} %}}")) || sample.blank.contains(*name)
    };
    template.variables.iter().filter(is_optional).map(String::as_str).collect()
}

/// All subsets, the empty one first; of many values, only some.
fn subsets<'a>(names: &[&'a str]) -> Vec<Vec<&'a str>> {
    if names.len() > SUBSETS_OF {
        let single = names.iter().map(|name| vec![*name]);
        return [Vec::new()].into_iter().chain(single).chain([names.to_vec()]).collect();
    }
    let of = |bits: usize| {
        names.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, name)| *name).collect()
    };
    (0..1 << names.len()).map(of).collect()
}

/// What Meta would not take.
fn objections(message: &Message) -> Vec<String> {
    let mut wrong = Vec::new();
    let at_most = |what: &str, text: &str, limit: usize| {
        let size = text.chars().count();
        let is_right = (1..=limit).contains(&size);
        (!is_right).then(|| format!("{what} has {size} characters, not 1 to {limit}: {text:?}"))
    };
    let window = message.in_window();
    let is_plain = window.buttons.is_empty() && window.header.is_none();
    wrong.extend(at_most("the text", &window.body, if is_plain { 4_096 } else { 1_024 }));
    let template = message.as_template();
    let faces: &[&Message] = if message.mode == Mode::Text { &[&window] } else { &[&window, &template] };
    for face in faces {
        if let Some(footer) = &face.footer {
            wrong.extend(at_most("the footer", footer, 60));
        }
        if let Some(header @ Header::Text(_)) = &face.header {
            wrong.extend(at_most("the header", &header.line(), 62));
        }
        for button in &face.buttons {
            wrong.extend(at_most("a button", &button.title, 25));
            match &button.action {
                Action::Url(url) => wrong.extend(at_most("a link", url, 2_000)),
                Action::Code(code) => wrong.extend(at_most("a code", code, 15)),
                _ => {}
            }
        }
    }
    if message.mode != Mode::Text {
        wrong.extend(at_most("the text at Meta", &template.body, 1_024));
        for value in message.parameters.iter().map(|value| parameter(value)) {
            wrong.extend(at_most("a parameter", &value, 1_024));
            if value.contains(['\n', '\r', '\t']) || value.contains("     ") {
                wrong.push(format!("a parameter has a line break, a tab or five spaces: {value:?}"));
            }
        }
    }
    wrong
}

/// What nobody would write.
fn reads_badly(text: &str) -> Option<String> {
    let odd =
        ["{{", "}}", "{%", "  ", "\n\n\n", "()", " ,", ",,", ", .", "**", "__", "None", "undefined", " · ·"];
    if let Some(odd) = odd.iter().find(|odd| text.contains(**odd)) {
        return Some(format!("it has {odd:?}"));
    }
    let dangles = |line: &str| line.ends_with([':', ',', '·', '-', ' ']) || line.starts_with(['·', ',', '.']);
    let mut lines = text.lines().zip(text.lines().skip(1).chain([""]));
    // A line that ends with a colon is the head of a list.
    let wrong = lines
        .find(|(line, next)| dangles(line) && !(line.ends_with(':') && next.starts_with(['-', '>', '_'])));
    match wrong {
        Some((line, _)) => Some(format!("the line {line:?} has an end that belongs to nothing")),
        None if text != text.trim() => Some("it has space around it".to_owned()),
        None => None,
    }
}

/// A face as a person reads it.
fn face(message: &Message) -> String {
    let parts = message.header.iter().map(Header::shown).chain([message.body.clone()]);
    let parts = parts.chain(message.footer.iter().map(|footer| format!("({footer})")));
    let parts = parts.chain(message.buttons.iter().map(|button| format!("[{}]", button.line())));
    parts.flat_map(|part| part.lines().map(|line| format!("  | {line}\n")).collect::<Vec<_>>()).collect()
}

/// All templates of a folder with each subset of their optional values.
fn faces(folder: &str) -> String {
    let catalog = shipped(folder);
    let samples = samples(&catalog);
    let (mut shown, mut wrong) = (String::new(), Vec::new());
    for template in catalog.templates.all() {
        let sample = samples.get(&template.name).unwrap_or_else(|| panic!("no case for {}", template.name));
        let optional = optional(template, sample);
        let _ = writeln!(shown, "{} ({})", template.name, template.language);
        for without in subsets(&optional) {
            let message = sample
                .message(&catalog, template, &without)
                .unwrap_or_else(|why| panic!("{} without {without:?}: {why}", template.file));
            let (window, meta) = (message.in_window(), message.as_template());
            let is_sent_as_template = message.mode != Mode::Text;
            let bad = |body: &str| reads_badly(body).map(|why| format!("{why}: {body}"));
            let bad = [bad(&window.body), is_sent_as_template.then(|| bad(&meta.body)).flatten()];
            let all = objections(&message).into_iter().chain(bad.into_iter().flatten());
            wrong.extend(all.map(|why| format!("{} without {without:?}: {why}", template.file)));
            let _ = match without.is_empty() {
                true => write!(shown, "{}", face(&window)),
                false => write!(shown, "  without {}:\n{}", without.join(", "), face(&window)),
            };
            if is_sent_as_template && !meta.reads_as(&window) {
                let _ = write!(shown, "  at Meta:\n{}", face(&meta));
            }
        }
        shown.push('\n');
    }
    assert_eq!(wrong, [""; 0]);
    shown
}

#[test]
fn both_faces_of_each_rule_read_well_with_each_subset_of_optional_values() {
    insta::assert_snapshot!(faces("rules"));
}

#[test]
fn both_faces_of_each_example_read_well_with_each_subset_of_optional_values() {
    insta::assert_snapshot!(faces("examples"));
}

/// Whatever is missing, also what the rules always give: what is sent is such as Meta takes, and else it is not planned.
#[test]
fn whatever_is_missing_meta_takes_what_is_sent() {
    let (mut sent, mut failed) = (0, 0);
    for catalog in ["rules", "examples"].map(shipped) {
        let samples = samples(&catalog);
        for template in catalog.templates.all() {
            let names: Vec<&str> = template.variables.iter().map(String::as_str).collect();
            for without in subsets(&names) {
                match samples[&template.name].message(&catalog, template, &without) {
                    Ok(message) => {
                        sent += 1;
                        assert_eq!(objections(&message), [""; 0], "{} without {without:?}", template.file);
                    }
                    Err(why) => {
                        failed += 1;
                        assert!(!without.is_empty() && !why.is_empty(), "{}: {why}", template.file);
                    }
                }
            }
        }
    }
    assert!(sent > 500 && failed > 0, "{sent} sent, {failed} not");
}
