//! People and groups.

use std::{collections::HashMap, sync::Arc};

use serde::Serialize;

use super::{Contact, OptOut};

/// A person on the staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Unique name, as rules use it.
    pub username: String,
    /// Name for people.
    pub name: String,
    /// Whether they receive messages.
    pub active: bool,
    /// Language in which they read, for example `pt_BR`; where it is not known, that of the contact counts.
    pub language: Option<String>,
    /// WhatsApp user that the person is linked to.
    pub contact: Option<Contact>,
}

/// The groups, users and contacts that decisions name, for resolving them.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// Members of each existing group, including deactivated people, by the group's name.
    pub groups: HashMap<String, Vec<Arc<Person>>>,
    /// People, by username.
    pub users: HashMap<String, Arc<Person>>,
    /// Known contacts, by their address: digits of the number, or user id.
    pub contacts: HashMap<String, Contact>,
    /// Addresses of contacts as decisions write them, if they were parsed before: parsing a number is the most expensive
    /// part of resolving it.
    pub addresses: HashMap<String, String>,
    /// Opt-outs, by an address of the contact; of those who would have to be reached lest others get the message, see
    /// [`Decision::otherwise`](super::Decision::otherwise).
    pub opt_outs: HashMap<String, OptOut>,
}
