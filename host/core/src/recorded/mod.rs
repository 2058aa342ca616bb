//! Writes a case from what was recorded about an event: the event, what the rules asked and were answered, the people, and
//! what came of it; with invented people in place of those who were told.

mod exported;
mod invented;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

pub use self::exported::{EXPORT_VERSION, ExportHead, ExportedEvent, ExportedLine, ExportedPerson, Exporter};
use self::invented::{Invented, digits};
use crate::{
    decide::plugin::{HttpAnswer, HttpError},
    domain::{Asked, Cancel, Decision, DecisionOutcome, Event, Message, Priority},
};

/// Messages whose texts a case expects; of more, only to whom they go.
const TEXTS: usize = 20;

/// An event, and what was recorded about it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The event.
    pub event: Event,
    /// What was decided, in order.
    pub decisions: Vec<RecordedDecision>,
    /// Whether it has more recipients than are listed.
    pub has_more: bool,
}

/// A decision, and who it was for.
#[derive(Clone, Debug)]
pub struct RecordedDecision {
    /// What it led to.
    pub outcome: DecisionOutcome,
    /// Why, in words.
    pub reason: Option<String>,
    /// When it was made.
    pub decided_at: Timestamp,
    /// The release that decided.
    pub release: String,
    /// What the rule returned; absent if it decided nothing.
    pub returned: Option<Returned>,
    /// What the rule asked, and the answers.
    pub asked: Vec<Asked>,
    /// Who was told, or could not be.
    pub recipients: Vec<RecordedRecipient>,
}

/// What a rule returned.
#[derive(Clone, Debug)]
pub enum Returned {
    /// To send.
    Decision(Box<Decision>),
    /// To withdraw messages.
    Cancel(Cancel),
}

/// One recipient of a decision.
#[derive(Clone, Debug)]
pub struct RecordedRecipient {
    /// The username of a person.
    pub username: Option<String>,
    /// The name, if known.
    pub name: Option<String>,
    /// The `wa_id` or user id; absent if they have none, or it was erased.
    pub address: Option<String>,
    /// Why they are a recipient: `member of …`, for one.
    pub reason: String,
    /// Whether it was known when it was planned that they get nothing.
    pub is_skipped: bool,
    /// The message, if it is known as it was sent.
    pub message: Option<Message>,
}

#[derive(Serialize)]
struct Case {
    name: String,
    now: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    config: Map<String, Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    lookup: BTreeMap<String, BTreeMap<String, Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    http: Vec<CaseAnswer>,
    event: CaseEvent,
    #[serde(skip_serializing_if = "People::is_empty")]
    people: People,
    expect: Vec<Expected>,
}

#[derive(Serialize)]
struct CaseEvent {
    #[serde(rename = "type")]
    kind: String,
    source: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: String,
    data: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Value>,
}

/// Of a service.
#[derive(Default, Serialize)]
struct CaseAnswer {
    method: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct People {
    groups: BTreeMap<String, Vec<Person>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<Person>,
}

impl People {
    fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.users.is_empty()
    }
}

/// In the order in which people write it.
#[derive(Default, Serialize)]
struct Expected {
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cancel: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dedupe_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bodies: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skip: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_route: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

#[derive(Clone, PartialEq, Serialize)]
struct Person {
    username: String,
    name: String,
    /// Null for who could not be reached.
    whatsapp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
}

impl Recorded {
    /// The case in YAML, for a file in the folder `cases` of the rule's domain. What Hookswitch knows of people, and what looks
    /// like a name, a number or an e-mail address of somebody, is invented, the same for the same value; what else is personal
    /// in the event it cannot know.
    ///
    /// # Errors
    /// In words, if the event is not decided yet.
    pub fn case(&self) -> Result<String, String> {
        let first =
            self.decisions.first().ok_or("the event is not decided yet: there is nothing to expect")?;
        let mut invented = self.invented();
        let asked = || self.decisions.iter().flat_map(|decision| &decision.asked);
        let now =
            asked().find(|asked| asked.port == "now").and_then(|asked| asked.answer.as_str()?.parse().ok());
        let now: Timestamp = now.unwrap_or(first.decided_at);
        let event = &self.event;
        let of_event =
            |raw: &serde_json::value::RawValue| serde_json::from_str(raw.get()).unwrap_or(Value::Null);
        // First the event: what stands in it alone is invented there.
        let case_event = CaseEvent {
            kind: event.kind.clone(),
            source: event.key.source.clone(),
            id: invented.text(&event.key.id),
            data: invented.value(&of_event(&event.data)),
            subject: event.subject.as_deref().map(|subject| invented.text(subject)),
            time: event.time.to_string(),
            extensions: event.extensions.as_deref().map(|raw| invented.value(&of_event(raw))),
        };
        let case = Case {
            name: format!("{} as decided on {}", event.kind, first.decided_at.strftime("%F")),
            now: now.to_string(),
            config: config(asked(), &mut invented),
            lookup: lookup(asked(), &mut invented),
            http: asked()
                .filter(|asked| asked.port == "http")
                .map(|asked| answer(asked, &mut invented))
                .collect(),
            event: case_event,
            people: self.people(&mut invented),
            expect: self.decisions.iter().map(|decision| self.expected(decision, &mut invented)).collect(),
        };
        let yaml = serde_yaml::to_string(&[case]).map_err(|error| error.to_string())?;
        let more = if self.has_more { "# It has more recipients than are listed here.\n" } else { "" };
        Ok(format!(
            "# Decided by release {}. Names, numbers and e-mail addresses are invented where Hookswitch knows or recognizes\n\
             # them; read the rest before you share it.\n{more}{yaml}",
            first.release
        ))
    }

    /// Knows everybody whom the event was for.
    fn invented(&self) -> Invented {
        let mut invented = Invented::default();
        self.named_by_rules().into_iter().for_each(|value| invented.keep(value));
        for recipient in self.decisions.iter().flat_map(|decision| &decision.recipients) {
            if let Some(username) = &recipient.username {
                invented.username(username);
            }
            if let Some(name) = recipient.name.as_deref().filter(|name| !name.trim().is_empty()) {
                // A person without a name of their own is called by the username.
                match &recipient.username {
                    Some(username) if username == name => {}
                    _ => _ = invented.name(name),
                }
            }
            if let Some(address) = &recipient.address {
                invented.address(address);
            }
        }
        invented
    }

    /// Usernames and contacts that the rules have, and not from what they were given: they would be others there.
    fn named_by_rules(&self) -> Vec<&str> {
        let given = self.given();
        let mut named = Vec::new();
        for decision in &self.decisions {
            let Some(Returned::Decision(returned)) = &decision.returned else { continue };
            let (otherwise_users, otherwise_contacts) = match &returned.otherwise {
                Some(otherwise) => (&otherwise.users[..], &otherwise.contacts[..]),
                None => Default::default(),
            };
            let all = returned
                .users
                .iter()
                .chain(otherwise_users)
                .chain(&returned.contacts)
                .chain(otherwise_contacts);
            named.extend(all.map(String::as_str).filter(|value| !given.has(value)));
        }
        named
    }

    /// What the rules were given: the event, and the answers to what they asked.
    fn given(&self) -> Given {
        let event = &self.event;
        let raw = [Some(&event.data), event.extensions.as_ref()]
            .into_iter()
            .flatten()
            .map(|raw| raw.get().to_owned());
        let asked = self.decisions.iter().flat_map(|decision| &decision.asked);
        let answers = asked.map(|asked| asked.answer.to_string());
        let of_event = [event.key.id.clone(), event.subject.clone().unwrap_or_default()];
        let text = raw.chain(answers).chain(of_event).collect::<Vec<_>>().join("\n");
        Given { digits: digits(&text), text }
    }

    fn people(&self, invented: &mut Invented) -> People {
        let mut people = People::default();
        let mut known = BTreeSet::new();
        for decision in &self.decisions {
            let Some(Returned::Decision(returned)) = &decision.returned else { continue };
            let persons = decision.recipients.iter().filter(|recipient| recipient.username.is_some());
            let otherwise = returned.otherwise.iter().flat_map(|otherwise| &otherwise.groups);
            let groups: Vec<&String> = returned.groups.iter().chain(otherwise).collect();
            for group in &groups {
                people.groups.entry((*group).clone()).or_default();
            }
            for recipient in persons {
                let person = person(recipient, invented);
                let theirs: Vec<&&String> =
                    groups.iter().filter(|group| recipient.reason.contains(group.as_str())).collect();
                if theirs.is_empty() && known.insert(person.username.clone()) {
                    people.users.push(person.clone());
                }
                for group in theirs {
                    let members = people.groups.entry((**group).clone()).or_default();
                    if !members.contains(&person) {
                        members.push(person.clone());
                    }
                }
            }
        }
        people
    }

    fn expected(&self, decision: &RecordedDecision, invented: &mut Invented) -> Expected {
        let reason = invented.text(decision.reason.as_deref().unwrap_or_default());
        match (decision.outcome, &decision.returned) {
            (DecisionOutcome::NoRoute, _) => Expected { no_route: true, ..Expected::default() },
            (DecisionOutcome::Skip, _) => Expected { skip: Some(reason), ..Expected::default() },
            (DecisionOutcome::Failed | DecisionOutcome::Parked, _) | (_, None) => {
                Expected { failed: Some(reason), ..Expected::default() }
            }
            (_, Some(Returned::Cancel(cancel))) => {
                let cancel = cancel.cancel.iter().map(|key| invented.text(key)).collect();
                Expected { cancel, ..Expected::default() }
            }
            (_, Some(Returned::Decision(returned))) => {
                let mut text = |text: &String| invented.text(text);
                let mut expected = Expected {
                    template: Some(returned.template.clone()),
                    groups: returned.groups.clone(),
                    key: returned.key.as_ref().map(&mut text),
                    cancel: returned.cancel.iter().map(&mut text).collect(),
                    dedupe_key: returned.dedupe_key.as_ref().map(&mut text),
                    priority: (returned.priority != Priority::default()).then_some(returned.priority),
                    ..Expected::default()
                };
                expected.users = returned.users.iter().map(|user| invented.username(user)).collect();
                expected.contacts = returned.contacts.iter().map(|to| invented.address(to)).collect();
                // A duplicate tells nobody, and what is collected is told later: a case with one event knows of neither.
                let is_told = matches!(decision.outcome, DecisionOutcome::Notify | DecisionOutcome::Nobody);
                if is_told && !self.has_more {
                    recipients(&decision.recipients, &mut expected, invented);
                }
                expected
            }
        }
    }
}

/// To whom it goes, and the texts.
fn recipients(all: &[RecordedRecipient], expected: &mut Expected, invented: &mut Invented) {
    let (skipped, told): (Vec<_>, Vec<_>) = all.iter().partition(|recipient| recipient.is_skipped);
    let mut who = |recipient: &RecordedRecipient| match (&recipient.username, &recipient.address) {
        (Some(username), _) => Some(invented.username(username)),
        (None, Some(address)) => Some(invented.address(address)),
        (None, None) => None,
    };
    expected.skipped = skipped.iter().filter_map(|recipient| who(recipient)).collect();
    let told: Vec<(String, &RecordedRecipient)> =
        told.iter().filter_map(|recipient| Some((who(recipient)?, *recipient))).collect();
    expected.to = told.iter().map(|(who, _)| who.clone()).collect();
    // Of customers a case knows no names: their texts may say them.
    let is_known = |of: &RecordedRecipient| of.username.is_some() || of.name.is_none();
    let mut bodies = BTreeMap::new();
    for (who, recipient) in told.iter().filter(|(_, recipient)| is_known(recipient)).take(TEXTS) {
        // Of what must not stay, stars are kept.
        if let Some(message) = recipient.message.as_ref().filter(|message| !message.is_kept) {
            bodies.insert(who.clone(), invented.text(&message.body));
        }
    }
    let different: BTreeSet<&String> = bodies.values().collect();
    // `body` is that of the first, whoever that is.
    match (different.len(), bodies.len() == all.len()) {
        (1, true) => expected.body = bodies.into_values().next(),
        _ => expected.bodies = bodies,
    }
}

/// All that was given, as one text and as its digits.
struct Given {
    text: String,
    digits: String,
}

impl Given {
    fn has(&self, value: &str) -> bool {
        let is_number = !value.chars().any(char::is_alphabetic);
        if is_number { self.digits.contains(&digits(value)) } else { self.text.contains(value) }
    }
}

fn person(recipient: &RecordedRecipient, invented: &mut Invented) -> Person {
    let username = invented.username(recipient.username.as_deref().unwrap_or_default());
    let name = recipient.name.as_deref().filter(|name| !name.trim().is_empty());
    let name = match (name, &recipient.username) {
        (Some(name), Some(own)) if name != own => invented.name(name),
        _ => username.clone(),
    };
    // Whoever got nothing may have a number; that they could not be reached is what counts.
    let address = recipient.address.as_deref().filter(|_| !recipient.is_skipped);
    Person {
        username,
        name,
        whatsapp: address.map(|address| invented.address(address)),
        language: recipient.message.as_ref().map(|message| message.language.clone()),
    }
}

fn config<'a>(asked: impl Iterator<Item = &'a Asked>, invented: &mut Invented) -> Map<String, Value> {
    let config = asked.filter(|asked| asked.port == "config" && !asked.answer.is_null());
    config
        .filter_map(|asked| Some((asked.question.as_str()?.to_owned(), invented.value(&asked.answer))))
        .collect()
}

fn lookup<'a>(
    asked: impl Iterator<Item = &'a Asked>,
    invented: &mut Invented,
) -> BTreeMap<String, BTreeMap<String, Value>> {
    let mut tables: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for asked in asked.filter(|asked| asked.port == "lookup" && !asked.answer.is_null()) {
        let text = |key| asked.question.get(key).and_then(Value::as_str).unwrap_or_default();
        let key = invented.text(text("key"));
        let row = invented.value(&asked.answer);
        tables.entry(text("table").to_owned()).or_default().insert(key, row);
    }
    tables
}

/// An answer of a service, as `http` of a case has it.
fn answer(asked: &Asked, invented: &mut Invented) -> CaseAnswer {
    let text = |key| asked.question.get(key).and_then(Value::as_str).unwrap_or_default();
    let question = CaseAnswer {
        method: text("method").to_owned(),
        url: invented.text(text("url")),
        ..CaseAnswer::default()
    };
    match serde_json::from_value::<Result<HttpAnswer, HttpError>>(asked.answer.clone()) {
        Ok(Ok(HttpAnswer { status, headers, body })) => {
            let (headers, body) = answer_of_service(headers, &body, invented);
            CaseAnswer { status: Some(status), headers, body: Some(body), ..question }
        }
        Ok(Err(HttpError::Timeout)) => CaseAnswer { error: Some("timeout"), ..question },
        Ok(Err(HttpError::TooLarge)) => CaseAnswer { error: Some("too_large"), ..question },
        Ok(Err(_)) | Err(_) => CaseAnswer { error: Some("refused"), ..question },
    }
}

/// The headers and the body of an answer that are kept: of the headers only the type, as others may be personal.
fn answer_of_service(
    headers: Vec<(String, String)>,
    body: &[u8],
    invented: &mut Invented,
) -> (BTreeMap<String, String>, Value) {
    let headers = headers.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let body = String::from_utf8_lossy(body);
    let body = match serde_json::from_str::<Value>(&body) {
        Ok(body @ (Value::Object(_) | Value::Array(_))) => invented.value(&body),
        _ => invented.text(&body).into(),
    };
    (headers.collect(), body)
}

#[cfg(test)]
mod tests;
