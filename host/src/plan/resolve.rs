//! Whom a decision reaches: groups, users and contacts → recipients, each once, with the reason.

use std::{collections::BTreeSet, sync::Arc};

use crate::domain::{Contact, Decision, Outcome, People, Person, Verdict, is_user_id, number};

/// Whom a batch of verdicts names, so that they are looked up in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Usernames.
    pub users: BTreeSet<String>,
    /// Contacts, as [`People::contacts`] has them: digits of the number, or a user id.
    pub contacts: BTreeSet<String>,
}

/// Whom these verdicts name.
pub fn named<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Names {
    let mut names = Names::default();
    for verdict in verdicts {
        if let Outcome::Notify(decision) = &verdict.outcome {
            names.groups.extend(decision.groups.iter().cloned());
            names.users.extend(decision.users.iter().cloned());
            names.contacts.extend(decision.contacts.iter().filter_map(|contact| recipient(contact).ok()));
        }
    }
    names
}

/// Somebody a decision reaches, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The person's username, where it is staff.
    pub username: Option<String>,
    /// The name, as far as known.
    pub name: Option<String>,
    /// The `wa_id` or user id.
    pub to: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// Why not, in words.
    pub skipped: Option<String>,
}

/// Whom the decision reaches, and what there is to say about groups that reach nobody.
pub fn resolve(decision: &Decision, people: &People) -> (Vec<Recipient>, Vec<String>) {
    let mut found: Vec<(Found, Vec<String>)> = Vec::new();
    let mut remarks = Vec::new();
    for group in &decision.groups {
        match people.groups.get(group) {
            None => remarks.push(format!("the group {group} does not exist")),
            Some(members) if !members.iter().any(|person| person.active) => {
                remarks.push(format!("the group {group} has no active members"));
            }
            Some(_) => {}
        }
        for person in people.groups.get(group).into_iter().flatten() {
            add(&mut found, Found::Person(person.clone()), format!("member of {group}"));
        }
    }
    for username in &decision.users {
        let user = people.users.get(username).cloned();
        let user = user.map_or_else(|| Found::NoUser(username.clone()), Found::Person);
        add(&mut found, user, "named as user".to_owned());
    }
    for contact in &decision.contacts {
        let known = recipient(contact).map(|to| (people.contacts.get(&to).cloned(), to));
        let contact = match known {
            Ok((contact, to)) => Found::Contact(to, contact),
            Err(why) => Found::NoContact(contact.clone(), why),
        };
        add(&mut found, contact, "named as contact".to_owned());
    }
    let mut recipients: Vec<Recipient> = Vec::with_capacity(found.len());
    for (found, reasons) in found {
        let recipient = found.into_recipient(reasons);
        // Two people with one number, or a customer who is staff: one message.
        let same =
            recipient.to.as_ref().and_then(|to| recipients.iter_mut().find(|r| r.to.as_ref() == Some(to)));
        match same {
            Some(first) => first.reason = format!("{}; also {}", first.reason, recipient.reason),
            None => recipients.push(recipient),
        }
    }
    (recipients, remarks)
}

enum Found {
    Person(Arc<Person>),
    NoUser(String),
    Contact(String, Option<Contact>),
    NoContact(String, String),
}

impl Found {
    fn is(&self, other: &Found) -> bool {
        match (self, other) {
            (Found::Person(a), Found::Person(b)) => a.username == b.username,
            (Found::NoUser(a), Found::NoUser(b)) => a == b,
            (Found::Contact(a, _), Found::Contact(b, _)) => a == b,
            (Found::NoContact(a, _), Found::NoContact(b, _)) => a == b,
            _ => false,
        }
    }

    fn into_recipient(self, reasons: Vec<String>) -> Recipient {
        let reason = in_words(&reasons);
        let none = Recipient { username: None, name: None, to: None, reason, skipped: None };
        match self {
            Found::Person(person) => {
                let to = person.contact.as_ref().and_then(Contact::recipient).map(str::to_owned);
                let skipped = match (person.active, &to) {
                    (false, _) => Some(format!("{} is deactivated", person.username)),
                    (true, None) => Some(format!("{} is linked to no WhatsApp contact", person.username)),
                    (true, Some(_)) => None,
                };
                let to = to.filter(|_| skipped.is_none());
                Recipient {
                    username: Some(person.username.clone()),
                    name: Some(person.name.clone()),
                    to,
                    skipped,
                    ..none
                }
            }
            Found::NoUser(username) => Recipient {
                skipped: Some(format!("there is no user {username}")),
                username: Some(username),
                ..none
            },
            Found::Contact(to, contact) => {
                let to = contact.as_ref().and_then(Contact::recipient).map_or(to, str::to_owned);
                Recipient { to: Some(to), name: contact.and_then(|contact| contact.name), ..none }
            }
            Found::NoContact(contact, why) => Recipient { skipped: Some(why), name: Some(contact), ..none },
        }
    }
}

/// "member of A and B, named as user".
fn in_words(reasons: &[String]) -> String {
    let groups: Vec<&str> = reasons.iter().filter_map(|reason| reason.strip_prefix("member of ")).collect();
    let others = reasons.iter().filter(|reason| !reason.starts_with("member of ")).cloned();
    let groups = match groups.as_slice() {
        [] => None,
        [one] => Some(format!("member of {one}")),
        [first @ .., last] => Some(format!("member of {} and {last}", first.join(", "))),
    };
    groups.into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

fn add(found: &mut Vec<(Found, Vec<String>)>, who: Found, reason: String) {
    match found.iter_mut().find(|(known, _)| known.is(&who)) {
        Some((_, reasons)) if reasons.contains(&reason) => {}
        Some((_, reasons)) => reasons.push(reason),
        None => found.push((who, vec![reason])),
    }
}

/// What a contact is addressed as: the digits of an E.164 number, or Meta's user id.
///
/// # Errors
/// Why it is neither, in words.
pub fn recipient(contact: &str) -> Result<String, String> {
    let contact = contact.trim();
    if is_user_id(contact) {
        return Ok(contact.to_owned());
    }
    number(contact)
        .map(|number| number.wa_id)
        .map_err(|why| format!("{why}; or name a WhatsApp user id such as US.13491208655302741918"))
}
