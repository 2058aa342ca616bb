//! People, and who is in which group.

use std::{collections::HashMap, sync::Arc};

use serde::Serialize;

use super::Contact;

/// Somebody on the staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Unique; what rules name.
    pub username: String,
    /// As shown.
    pub name: String,
    /// Whether they get anything.
    pub active: bool,
    /// The WhatsApp user they are linked to.
    pub contact: Option<Contact>,
}

/// What resolving decisions needs to know about people: the groups, users and contacts that they name.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// The members of each group that exists, by the group's name; deactivated people too.
    pub groups: HashMap<String, Vec<Arc<Person>>>,
    /// By username.
    pub users: HashMap<String, Arc<Person>>,
    /// Known contacts, by what the decision calls them.
    pub contacts: HashMap<String, Contact>,
    /// The digits or the user id of what a decision calls a contact, as far as they were read already: to read a number
    /// takes longer than all else about it.
    pub addresses: HashMap<String, String>,
}
