//! The front matter of a template: its settings, and what is wrong with them.

use serde::Deserialize;

use super::{
    authentication::Authentication,
    field, rows,
    template::{Category, Wrong},
};
use crate::domain::{Mode, OnUnknown, did_you_mean, is_tag};

/// Maximum size of the front matter, in bytes.
const SIZE: usize = 8 * 1024;
const FOOTER_LIMIT: usize = 60;
/// Meta's limits: buttons of a template, and quick replies of a free-form message.
const BUTTONS: usize = 10;
const REPLIES: usize = 3;
const LINKS: usize = 2;
/// Maximum length of a phone number, in characters.
const PHONE_LIMIT: usize = 20;
const BUTTON_TITLE_LIMIT: usize = 20;
const BUTTON_ID_LIMIT: usize = 256;
const META_NAME_LIMIT: usize = 512;
/// Meta's limits for `code_expiration_minutes`.
const EXPIRATION: std::ops::RangeInclusive<u8> = 1..=90;
pub(crate) const KEYS: [&str; 15] = [
    "description",
    "category",
    "language",
    "fallback",
    "mode",
    "header",
    "footer",
    "buttons",
    "meta_name",
    "on_unknown",
    "from",
    "sensitive",
    "tag",
    "add_security_recommendation",
    "code_expiration_minutes",
];
pub(crate) const BUTTON_KEYS: [&str; 7] = ["title", "id", "url", "phone", "code", "list", "ask"];
pub(crate) const ROW_KEYS: [&str; 5] = ["each", "id", "title", "description", "section"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "keys with values, for example `category: utility`")]
pub(super) struct FrontMatter {
    pub description: String,
    pub category: Category,
    pub language: String,
    #[serde(default)]
    pub fallback: bool,
    #[serde(default)]
    pub mode: Mode,
    pub header: Option<serde_yaml::Value>,
    pub footer: Option<String>,
    #[serde(default)]
    pub buttons: Vec<FrontButton>,
    pub meta_name: Option<String>,
    #[serde(default)]
    pub on_unknown: OnUnknown,
    pub from: Option<String>,
    #[serde(default)]
    pub sensitive: Vec<String>,
    pub tag: Option<String>,
    pub add_security_recommendation: Option<bool>,
    pub code_expiration_minutes: Option<u8>,
}

/// A header as written: a text, or one of `image`, `video`, `document` and `location`.
#[derive(Clone, Debug)]
pub(super) enum FrontHeader {
    Text(String),
    Other(FrontMedia),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a text, or a map such as `{image: \"{{ photo }}\", example: files/photo.jpg}`"
)]
pub(super) struct FrontMedia {
    pub image: Option<String>,
    pub video: Option<String>,
    pub document: Option<String>,
    pub location: Option<FrontLocation>,
    pub filename: Option<String>,
    pub example: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a map such as `{latitude: \"{{ lat }}\", longitude: \"{{ lon }}\", name: \"{{ name }}\"}`"
)]
pub(super) struct FrontLocation {
    pub latitude: Scalar,
    pub longitude: Scalar,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub address: String,
}

/// A number, or a text with its value.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a number, or a text such as `\"{{ latitude }}\"`")]
pub(super) enum Scalar {
    Number(f64),
    Text(String),
}

impl FrontMatter {
    /// What is chosen of Meta's words; `None` for other categories.
    pub(super) fn as_authentication(&self) -> Option<Authentication> {
        (self.category == Category::Authentication).then(|| Authentication {
            security_recommendation: self.add_security_recommendation.unwrap_or_default(),
            expiration_minutes: self.code_expiration_minutes,
        })
    }

    /// The header.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub(super) fn header(&self) -> Result<Option<FrontHeader>, String> {
        let map = match &self.header {
            None | Some(serde_yaml::Value::Null) => return Ok(None),
            Some(serde_yaml::Value::String(text)) => return Ok(Some(FrontHeader::Text(text.clone()))),
            Some(map) => map,
        };
        let media: FrontMedia = serde_yaml::from_value(map.clone())
            .map_err(|error| format!("header: {}", in_words(&error.to_string()).0))?;
        let given = [
            media.image.is_some(),
            media.video.is_some(),
            media.document.is_some(),
            media.location.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err(
                "a header is a text, or has one of `image`, `video`, `document` and `location`".to_owned()
            );
        }
        if media.filename.is_some() && media.document.is_none() {
            return Err("only a document has a `filename`".to_owned());
        }
        Ok(Some(FrontHeader::Other(media)))
    }
}

/// A button as written: a title, and one of `id`, `url`, `phone`, `code`, `list` and `ask`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a button, for example `{id: yes, title: Confirm}`")]
pub(super) struct FrontButton {
    pub title: Option<String>,
    pub id: Option<String>,
    pub url: Option<String>,
    pub phone: Option<String>,
    pub code: Option<String>,
    pub list: Option<Vec<FrontRow>>,
    pub ask: Option<Ask>,
}

/// What a button asks for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    Location,
}

/// A row of a list as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a row, for example `{id: am, title: In the morning}`")]
pub(super) struct FrontRow {
    /// An expression for an array: there is such a row for each `item` of it.
    pub each: Option<String>,
    pub id: String,
    pub title: String,
    pub description: Option<String>,
    pub section: Option<String>,
}

/// Splits a file into front matter, body, and the number of lines before the body.
pub(super) fn split(text: &str) -> Result<(&str, &str, usize), Wrong> {
    let missing = || {
        Wrong::at(1, 1, "the front matter is missing")
            .help("begin with a line `---`, then `description`, `category` and `language`, then a line `---`")
    };
    let rest = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")).ok_or_else(missing)?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            let front = &rest[..at];
            if front.len() > SIZE {
                let message = format!("the front matter is larger than {} KiB", SIZE / 1024);
                return Err(Wrong::at(1, 1, message));
            }
            return Ok((front, &rest[at + line.len()..], front.lines().count() + 2));
        }
        at += line.len();
    }
    Err(missing())
}

/// Reads the front matter of a file, and adds what is wrong with it.
pub(super) fn read(text: &str, front: &str, wrong: &mut Vec<Wrong>) -> Option<FrontMatter> {
    match serde_yaml::from_str(front) {
        Ok(read) => {
            check(&read, &mut |key, message| wrong.push(Wrong::at(line_of(text, key), 1, message)));
            Some(read)
        }
        Err(error) => {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            let message = error.to_string();
            // The message ends with the place, which is reported as line and column.
            let message = message.split(" at line ").next().unwrap_or(&message);
            let (message, help) = in_words(message);
            let tab = front.lines().nth(line.saturating_sub(1)).is_some_and(|line| line.starts_with('\t'));
            let help =
                if tab { Some("indent with spaces: YAML does not allow tabs".to_owned()) } else { help };
            // The front matter begins in line 2.
            let line = second_of(front, &message).unwrap_or(line) + 1;
            wrong.push(Wrong { line, column, message, help });
            None
        }
    }
}

/// The line of the second one of duplicate keys, from 1: the parser gives that of the whole.
fn second_of(front: &str, message: &str) -> Option<usize> {
    let key = message.strip_prefix("duplicate key `")?.strip_suffix('`')?;
    let is_key = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    let mut lines = front.lines().enumerate().filter(|(_, line)| is_key(line));
    lines.nth(1).map(|(index, _)| index + 1)
}

/// Serde's errors, in the words of other findings.
fn in_words(message: &str) -> (String, Option<String>) {
    let quoted = |rest: &str| rest.split('`').next().unwrap_or_default().to_owned();
    let part = |start: &str| message.split_once(start);
    if let Some((path, rest)) = part("unknown field `") {
        let name = quoted(rest);
        let known = match path {
            "" => &KEYS[..],
            path if path.contains(".list[") => &ROW_KEYS[..],
            _ => &BUTTON_KEYS[..],
        };
        let help = did_you_mean(&name, known.iter().copied());
        return (format!("{path}unknown key `{name}`"), Some(help));
    }
    if let Some((path, rest)) = part("missing field `") {
        return (format!("{path}`{}` is missing", quoted(rest)), None);
    }
    if let Some((path, rest)) = part("duplicate field `") {
        return (format!("{path}duplicate key `{}`", quoted(rest)), None);
    }
    if let Some((path, rest)) = part("unknown variant `")
        && let Some((_, expected)) = rest.split_once("expected ")
    {
        return (format!("{path}expected {}, got `{}`", expected.replace('`', ""), quoted(rest)), None);
    }
    if let Some((path, rest)) = part("invalid type: ")
        && let Some((given, expected)) = rest.split_once(", expected ")
    {
        let given = match given.split([' ', ',']).next().unwrap_or_default() {
            "string" => "a string",
            "sequence" => "a list",
            "map" => "a map",
            "integer" | "floating" => "a number",
            "boolean" => "true or false",
            "unit" => "nothing",
            _ => given,
        };
        return (format!("{path}expected {expected}, got {given}"), None);
    }
    (format!("invalid YAML: {message}"), None)
}

fn check(front: &FrontMatter, wrong: &mut dyn FnMut(&'static str, String)) {
    let long = |text: &str, limit: usize| text.chars().count() > limit;
    if front.description.trim().is_empty() {
        wrong("description", "`description` must not be empty".to_owned());
    }
    let is_part =
        |part: &str| (2..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if !front.language.split('_').all(is_part) {
        let message = format!("expected a language code, for example en_US, got {:?}", front.language);
        wrong("language", message);
    }
    if front.footer.as_deref().is_some_and(|footer| long(footer, FOOTER_LIMIT)) {
        wrong("footer", format!("a footer has at most {FOOTER_LIMIT} characters"));
    }
    let has_a_tag = |text: &str| ["{{", "{%", "{#"].iter().any(|tag| text.contains(tag));
    if front.footer.as_deref().is_some_and(has_a_tag) {
        wrong("footer", "a footer is sent as it is: it cannot have variables".to_owned());
    }
    buttons(&front.buttons, &mut |message| wrong("buttons", message));
    authentication(front, wrong);
    if let Some(tag) = front.tag.as_deref().filter(|tag| !is_tag(tag)) {
        wrong("tag", format!("a tag has 1 to 50 lowercase letters, digits, `-` and `_`, got {tag:?}"));
    }
    if let Some(name) = &front.meta_name
        && (name.is_empty() || name.len() > META_NAME_LIMIT || !is_meta_name(name))
    {
        let message = format!(
            "a name at Meta has 1 to {META_NAME_LIMIT} lowercase letters, digits and underscores, got {name:?}"
        );
        wrong("meta_name", message);
    }
}

/// Meta words an authentication template; the file says only what can be chosen.
fn authentication(front: &FrontMatter, wrong: &mut dyn FnMut(&'static str, String)) {
    if front.category != Category::Authentication {
        for (key, is_given) in [
            ("add_security_recommendation", front.add_security_recommendation.is_some()),
            ("code_expiration_minutes", front.code_expiration_minutes.is_some()),
        ] {
            if is_given {
                wrong(key, format!("`{key}` is for the category authentication only"));
            }
        }
        return;
    }
    if let Some(minutes) = front.code_expiration_minutes.filter(|minutes| !EXPIRATION.contains(minutes)) {
        wrong("code_expiration_minutes", format!("a code expires in 1 to 90 minutes, got {minutes}"));
    }
    if !matches!(front.header, None | Some(serde_yaml::Value::Null)) {
        wrong("header", "Meta allows no header in an authentication template".to_owned());
    }
    if front.footer.is_some() {
        wrong(
            "footer",
            "Meta words the footer of an authentication template: set `code_expiration_minutes` instead"
                .to_owned(),
        );
    }
    let has_value =
        |button: &FrontButton| button.code.as_deref().is_some_and(|code| !field::split(code).1.is_empty());
    if !matches!(front.buttons.as_slice(), [button] if has_value(button)) {
        wrong(
            "buttons",
            "an authentication template has one button, which copies the code: `- {code: \"{{ code }}\"}`"
                .to_owned(),
        );
    }
}

fn buttons(buttons: &[FrontButton], wrong: &mut dyn FnMut(String)) {
    let long = |text: &str, limit: usize| text.chars().count() > limit;
    let has_a_tag = |text: &&str| !field::split(text).1.is_empty();
    let count = |has: fn(&FrontButton) -> bool| buttons.iter().filter(|button| has(button)).count();
    for button in buttons {
        let FrontButton { title, id, url, phone, code, list, ask } = button;
        let fixed = [title.as_deref(), id.as_deref(), phone.as_deref()];
        if let Some(told) = fixed.into_iter().flatten().find(has_a_tag) {
            wrong(format!(
                "only the `url`, the `code` and the rows of a button can have variables, got {told:?}"
            ));
        }
        let given =
            [id.is_some(), url.is_some(), phone.is_some(), code.is_some(), list.is_some(), ask.is_some()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            let name = title.as_deref().unwrap_or_default();
            wrong(format!(
                "a button has one of `id`, `url`, `phone`, `code`, `list` and `ask`; check the button {name:?}"
            ));
        }
        match title {
            Some(_) if code.is_some() => {
                wrong("WhatsApp itself titles a button that copies a code: omit `title`".to_owned());
            }
            Some(_) if ask.is_some() => {
                wrong("WhatsApp itself titles a button that asks for a location: omit `title`".to_owned());
            }
            None if code.is_none() && ask.is_none() => wrong("a button needs a `title`".to_owned()),
            Some(title) if title.is_empty() || long(title, BUTTON_TITLE_LIMIT) => {
                wrong(format!("a button title has 1 to {BUTTON_TITLE_LIMIT} characters, got {title:?}"));
            }
            _ => {}
        }
        if let Some(id) = id.as_deref().filter(|id| id.is_empty() || long(id, BUTTON_ID_LIMIT)) {
            wrong(format!("a button id has 1 to {BUTTON_ID_LIMIT} characters, got {id:?}"));
        }
        if let Some(rows) = list {
            rows::check(rows, wrong);
        }
        if let Some(phone) = phone {
            let digits = phone.chars().filter(char::is_ascii_digit).count();
            let others = |c: char| !c.is_ascii_digit() && !matches!(c, '+' | ' ' | '-' | '(' | ')');
            if !phone.starts_with('+') || phone.contains(others) || !(7..PHONE_LIMIT).contains(&digits) {
                wrong(format!(
                    "a phone number is written with its country code, for example +15550100001, got {phone:?}"
                ));
            }
        }
    }
    for (most, what, found) in [
        (BUTTONS, "buttons", buttons.len()),
        (REPLIES, "quick replies (`id`)", count(|button| button.id.is_some())),
        (LINKS, "links (`url`)", count(|button| button.url.is_some())),
        (1, "phone number (`phone`)", count(|button| button.phone.is_some())),
        (1, "code to copy (`code`)", count(|button| button.code.is_some())),
        (1, "list (`list`)", count(|button| button.list.is_some())),
        (1, "request for a location (`ask`)", count(|button| button.ask.is_some())),
    ] {
        if found > most {
            wrong(format!("a message has at most {most} {what}, got {found}"));
        }
    }
    let answers = [
        ("quick replies (`id`)", count(|button| button.id.is_some())),
        ("a list (`list`)", count(|button| button.list.is_some())),
        ("a request for a location (`ask`)", count(|button| button.ask.is_some())),
    ];
    let given: Vec<&str> =
        answers.into_iter().filter(|(_, found)| *found > 0).map(|(what, _)| what).collect();
    if given.len() > 1 {
        wrong(format!("a message cannot have {}", given.join(" and ")));
    }
    let mut groups: Vec<bool> = buttons.iter().map(|button| button.id.is_some()).collect();
    groups.dedup();
    if groups.iter().filter(|replies| **replies).count() > 1 {
        wrong("quick replies (`id`) must stand next to each other".to_owned());
    }
}

/// Whether a name has only characters that Meta allows.
pub(super) fn is_meta_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The line of a key of the front matter, from 1.
pub(super) fn line_of(text: &str, key: &str) -> usize {
    let key = format!("{key}:");
    text.lines().position(|line| line.starts_with(&key)).map_or(1, |n| n + 1)
}
