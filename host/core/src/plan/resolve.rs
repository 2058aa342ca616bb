//! Resolves the groups, users and contacts of a decision to recipients, each once, with the reason.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use crate::domain::{Contact, Decision, Outcome, People, Person, Refusal, Verdict, digits, is_user_id};

/// Maximum length of a reason, in bytes, if many people share one number; further people are not named.
const LONGEST_REASON: usize = 1_000;

/// The names used by a batch of verdicts, to look them up at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Usernames.
    pub users: BTreeSet<String>,
    /// Contacts as in [`People::contacts`]: digits of the number, or a user id.
    pub contacts: BTreeSet<String>,
    /// Addresses of contacts as decisions name them, see [`People::addresses`].
    pub addresses: HashMap<String, String>,
}

impl Names {
    /// Adds contacts as a decision names them, without invalid ones.
    pub fn add_contacts<'a>(&mut self, contacts: impl IntoIterator<Item = &'a String>) {
        for contact in contacts {
            if !self.addresses.contains_key(contact)
                && let Ok(address) = recipient(contact)
            {
                self.contacts.insert(address.clone());
                self.addresses.insert(contact.clone(), address);
            }
        }
    }
}

/// Collects the names used by verdicts.
pub fn named<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Names {
    let mut names = Names::default();
    for verdict in verdicts {
        if let Outcome::Notify(decision) = &verdict.outcome {
            names.groups.extend(decision.all_groups().cloned());
            names.users.extend(decision.all_users().cloned());
            names.add_contacts(decision.all_contacts());
        }
    }
    names
}

/// The addresses of those whose opt-outs matter when the verdicts are planned: others get the message if all have opted out.
pub fn asked_for_opt_outs<'a>(
    verdicts: impl IntoIterator<Item = &'a Verdict>,
    people: &People,
) -> BTreeSet<String> {
    let mut addresses = BTreeSet::new();
    for verdict in verdicts {
        if let Outcome::Notify(decision) = &verdict.outcome
            && decision.otherwise.is_some()
        {
            addresses.extend(resolve(decision, people).into_iter().filter_map(|recipient| recipient.to));
        }
    }
    addresses
}

/// A recipient of a decision, reachable or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Username, if it is a person.
    pub username: Option<String>,
    /// Name, if known.
    pub name: Option<String>,
    /// `wa_id` or user id; `None` if unreachable.
    pub to: Option<String>,
    /// Language in which the recipient reads, if known.
    pub language: Option<String>,
    /// Why the recipient gets the message, for people.
    pub reason: String,
    /// Why the recipient cannot be reached, for people.
    pub skipped: Option<String>,
}

/// Resolves the recipients of a decision, in time proportional to their number.
pub fn resolve(decision: &Decision, people: &People) -> Vec<Recipient> {
    let mut found = All::default();
    for group in once_each(&decision.groups) {
        for person in people.groups.get(group).into_iter().flatten() {
            found.add(Found::Person(person.clone())).groups.push(group);
        }
    }
    for username in &decision.users {
        let user = people.users.get(username).cloned();
        let user = user.map_or_else(|| Found::NoUser(username.clone()), Found::Person);
        found.add(user).named_as = Some("user");
    }
    for contact in &decision.contacts {
        let known = people.addresses.get(contact).cloned();
        let contact = match known.map_or_else(|| recipient(contact), Ok) {
            Ok(to) => Found::Contact(people.contacts.get(&to).cloned(), to),
            Err(why) => Found::NoContact(contact.clone(), why),
        };
        found.add(contact).named_as = Some("contact");
    }
    // Two people with one number, or a customer who is staff: one message.
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut recipients: Vec<Recipient> = Vec::with_capacity(found.all.len());
    for (found, reasons) in found.all {
        let recipient = found.into_recipient(reasons.in_words());
        let first =
            recipient.to.as_ref().and_then(|to| places.get(to)).and_then(|at| recipients.get_mut(*at));
        match first {
            Some(first) if first.reason.len() < LONGEST_REASON => {
                first.reason.push_str("; also ");
                first.reason.push_str(&recipient.reason);
            }
            Some(_) => {}
            None => {
                if let Some(to) = &recipient.to {
                    places.insert(to.clone(), recipients.len());
                }
                recipients.push(recipient);
            }
        }
    }
    recipients
}

/// Remarks about groups that do not exist.
pub fn missing(decision: &Decision, people: &People) -> Vec<String> {
    let missing = once_each(&decision.groups).filter(|group| !people.groups.contains_key(*group));
    missing.map(|group| format!("the group {group} does not exist")).collect()
}

/// Remarks about groups that reach nobody.
pub fn remarks(decision: &Decision, people: &People) -> Vec<String> {
    let remark = |group: &str| match people.groups.get(group) {
        None => Some(format!("the group {group} does not exist")),
        Some(members) if !members.iter().any(|person| person.active) => {
            Some(format!("the group {group} has no active members"))
        }
        Some(_) => None,
    };
    once_each(&decision.groups).filter_map(remark).collect()
}

fn once_each(names: &[String]) -> impl Iterator<Item = &str> {
    let mut seen = HashSet::new();
    names.iter().map(String::as_str).filter(move |name| seen.insert(*name))
}

/// The recipients found, in order, with their reasons.
#[derive(Default)]
struct All<'a> {
    all: Vec<(Found, Reasons<'a>)>,
    places: HashMap<Who, usize>,
}

impl<'a> All<'a> {
    /// Adds a recipient unless it was added before; returns its reasons.
    fn add(&mut self, found: Found) -> &mut Reasons<'a> {
        let at = *self.places.entry(found.who()).or_insert(self.all.len());
        if at == self.all.len() {
            self.all.push((found, Reasons::default()));
        }
        &mut self.all[at].1
    }
}

/// Identity of a recipient.
#[derive(PartialEq, Eq, Hash)]
enum Who {
    Username(String),
    NoUser(String),
    Address(String),
    NoAddress(String),
}

/// Why a recipient gets the message.
#[derive(Default)]
struct Reasons<'a> {
    groups: Vec<&'a str>,
    named_as: Option<&'static str>,
}

impl Reasons<'_> {
    /// "member of A and B, named as user".
    fn in_words(&self) -> String {
        let groups = match self.groups.as_slice() {
            [] => None,
            [one] => Some(format!("member of {one}")),
            [first @ .., last] => Some(format!("member of {} and {last}", first.join(", "))),
        };
        let named = self.named_as.map(|what| format!("named as {what}"));
        groups.into_iter().chain(named).collect::<Vec<_>>().join(", ")
    }
}

enum Found {
    Person(Arc<Person>),
    NoUser(String),
    Contact(Option<Contact>, String),
    NoContact(String, String),
}

impl Found {
    fn who(&self) -> Who {
        match self {
            Found::Person(person) => Who::Username(person.username.clone()),
            Found::NoUser(username) => Who::NoUser(username.clone()),
            Found::Contact(_, to) => Who::Address(to.clone()),
            Found::NoContact(contact, _) => Who::NoAddress(contact.clone()),
        }
    }

    fn into_recipient(self, reason: String) -> Recipient {
        let none = Recipient { username: None, name: None, to: None, language: None, reason, skipped: None };
        match self {
            Found::Person(person) => {
                let to = person.contact.as_ref().and_then(Contact::recipient).map(str::to_owned);
                let skipped = match (person.active, &to) {
                    (false, _) => Some(Refusal::Deactivated(person.username.clone()).to_string()),
                    (true, None) => Some(Refusal::Unlinked(person.username.clone()).to_string()),
                    (true, Some(_)) => None,
                };
                let to = to.filter(|_| skipped.is_none());
                let of_contact = || person.contact.as_ref().and_then(|contact| contact.language.clone());
                Recipient {
                    language: person.language.clone().or_else(of_contact),
                    username: Some(person.username.clone()),
                    name: Some(person.name.clone()),
                    to,
                    skipped,
                    ..none
                }
            }
            Found::NoUser(username) => Recipient {
                skipped: Some(Refusal::NoPerson(username.clone()).to_string()),
                username: Some(username),
                ..none
            },
            Found::Contact(contact, to) => {
                let to = contact.as_ref().and_then(Contact::recipient).map_or(to, str::to_owned);
                let (name, language) =
                    contact.map(|contact| (contact.name, contact.language)).unwrap_or_default();
                Recipient { to: Some(to), name, language, ..none }
            }
            Found::NoContact(contact, why) => Recipient { skipped: Some(why), name: Some(contact), ..none },
        }
    }
}

/// The address of a contact: the digits of an E.164 number, or Meta's user id.
///
/// # Errors
/// If it is neither.
pub fn recipient(contact: &str) -> Result<String, String> {
    let contact = contact.trim();
    if is_user_id(contact) {
        return Ok(contact.to_owned());
    }
    digits(contact)
        .map_err(|why| format!("{why}, or as a WhatsApp user id, for example US.13491208655302741918"))
}
