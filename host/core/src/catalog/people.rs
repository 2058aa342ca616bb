//! The people of a case: made up, and always the same.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    findings::Finding,
    routes::{Group, required},
    yaml::{Kind, Node},
};
use crate::{
    decide::Place,
    domain::{Contact, OptOut, OptOutScope, People, Person, Verdict, did_you_mean, language},
    plan::named,
};

/// Keys of `people`, and of one person.
pub(super) const KEYS: [&str; 2] = ["groups", "users"];
pub(super) const PERSON_KEYS: [&str; 6] = ["username", "name", "whatsapp", "active", "language", "opted_out"];
/// Where the numbers begin of users whom only a verdict names.
const NAMED: usize = 1_000;

/// The people of a case without `people`: one member with WhatsApp in each group, named after it
/// (`Sales Team` → `sales_team`).
pub fn by_default(groups: &[Group]) -> People {
    let mut people = People::default();
    for (index, group) in groups.iter().enumerate() {
        let username: String =
            group.name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let person = Arc::new(person(username.clone(), group.name.clone(), made_up_number(index)));
        people.groups.insert(group.name.clone(), vec![person.clone()]);
        people.users.insert(username, person);
    }
    people
}

/// Adds the users that verdicts name and nobody has made up.
pub fn with_users(mut people: People, verdicts: &[Verdict]) -> People {
    for (index, username) in named(verdicts).users.into_iter().enumerate() {
        people
            .users
            .entry(username.clone())
            .or_insert_with(|| Arc::new(person(username.clone(), username, made_up_number(NAMED + index))));
    }
    people
}

/// Reads `people`: members of groups, and further users.
pub fn read(node: &Node, groups: &[Group], findings: &mut Vec<Finding>) -> People {
    let mut people = People::default();
    let Some(fields) = node.fields(&KEYS, findings) else { return people };
    for group in groups {
        people.groups.insert(group.name.clone(), Vec::new());
    }
    match fields.get("groups").map(|groups| (groups, &groups.value)) {
        None => {}
        Some((_, Kind::Map(entries))) => {
            for (name, members) in entries {
                if !groups.iter().any(|group| group.name == name.text) {
                    findings.push(unknown_group(&name.text, &name.place, groups));
                }
                let members = members.items(findings).iter();
                let members: Vec<_> =
                    members.filter_map(|member| one(member, &mut people, findings)).collect();
                people.groups.insert(name.text.clone(), members);
            }
        }
        Some((node, _)) => findings.push(node.wrong("a map of groups")),
    }
    if let Some(users) = fields.get("users") {
        for user in users.items(findings) {
            one(user, &mut people, findings);
        }
    }
    people
}

/// The finding for a group that is not in `groups.yaml`.
pub fn unknown_group(name: &str, place: &Place, groups: &[Group]) -> Finding {
    let known: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
    let help = match known.is_empty() {
        true => "add it to `groups.yaml`".to_owned(),
        false => did_you_mean(name, known),
    };
    Finding::at(place, format!("unknown group `{name}`")).help(help)
}

/// Reads a person: a username, or a map. A username that was read before is the same person.
fn one(node: &Node, people: &mut People, findings: &mut Vec<Finding>) -> Option<Arc<Person>> {
    let number = made_up_number(100 + people.users.len());
    let person = match &node.value {
        Kind::Map(_) => {
            let fields = node.fields(&PERSON_KEYS, findings)?;
            let username = required(&fields, "username", findings)?.text;
            let name = fields.text("name", findings).map_or_else(|| username.clone(), |name| name.text);
            let mut person = person(username, name, number);
            match (fields.text("whatsapp", findings), fields.key("whatsapp")) {
                (Some(number), _) => person.contact = Some(contact(number.text, &person.name)),
                (None, Some(_)) => person.contact = None,
                (None, None) => {}
            }
            if let Some(text) = fields.text("language", findings) {
                match language(&text.text) {
                    Ok(language) => person.language = Some(language),
                    Err(why) => findings.push(Finding::at(&text.place, why)),
                }
            }
            person.active = match fields.get("active").map(|active| (active, active.json())) {
                None => true,
                Some((_, Value::Bool(active))) => active,
                Some((node, _)) => {
                    findings.push(
                        node.wrong("true or false")
                            .help("write `true` or `false`: `yes` and `no` are strings"),
                    );
                    true
                }
            };
            let opt_out = fields.get("opted_out").and_then(|node| opt_out(node, findings));
            let address = person.contact.as_ref().and_then(Contact::recipient);
            people.opt_outs.extend(address.map(str::to_owned).zip(opt_out));
            person
        }
        _ => {
            let username = node.text(findings)?.text;
            if let Some(known) = people.users.get(&username) {
                return Some(known.clone());
            }
            person(username.clone(), username, number)
        }
    };
    let person = Arc::new(person);
    people.users.insert(person.username.clone(), person.clone());
    Some(person)
}

fn opt_out(node: &Node, findings: &mut Vec<Finding>) -> Option<OptOut> {
    let scope = match node.json() {
        Value::Bool(true) => OptOutScope::All,
        Value::Bool(false) => return None,
        Value::String(scope) if scope == OptOutScope::Marketing.as_str() => OptOutScope::Marketing,
        _ => {
            findings.push(node.wrong("true, false or marketing"));
            return None;
        }
    };
    Some(OptOut { scope, source: "wrote STOP".to_owned(), at: Timestamp::UNIX_EPOCH })
}

fn person(username: String, name: String, number: String) -> Person {
    let contact = contact(number, &name);
    Person { username, name, active: true, language: None, contact: Some(contact) }
}

fn contact(number: String, name: &str) -> Contact {
    Contact { wa_id: Some(number), name: Some(name.to_owned()), ..Contact::default() }
}

/// A number that nobody has: the area code 000 is not assigned.
fn made_up_number(index: usize) -> String {
    format!("263000{index:06}")
}
