//! WhatsApp users: opted out and in by operators, linked to people.

use hookswitch_core::domain::OptOutScope;
use serde_json::json;

use super::{Operate, Operator};
use crate::directory::{Directory, DirectoryError, recorded};

impl Operate {
    /// Opts a WhatsApp user out of all messages, or of marketing, and records that. They are named by a number, a user id or
    /// the username of a linked person.
    ///
    /// # Errors
    /// If it is none of these.
    pub async fn opt_out(
        &self,
        by: &Operator,
        contact: &str,
        scope: OptOutScope,
    ) -> Result<(), DirectoryError> {
        let scope_of = match scope {
            OptOutScope::All => "all",
            OptOutScope::Marketing => "marketing",
        };
        let what = json!({"contact": recorded(contact), "scope": scope_of});
        let act = by.act("opt_out.set", &what, None);
        Directory::new(self.store.clone()).opt_out(contact, scope, &act).await
    }

    /// Opts a WhatsApp user in again, and records that.
    ///
    /// # Errors
    /// If it is not a number, a user id or the username of a linked person.
    pub async fn opt_in(&self, by: &Operator, contact: &str) -> Result<(), DirectoryError> {
        let act = by.act("opt_out.cleared", &json!({"contact": recorded(contact)}), None);
        Directory::new(self.store.clone()).opt_in(contact, &act).await
    }

    /// Links a WhatsApp user who has written in or was written to to a person, and records that.
    ///
    /// # Errors
    /// If the contact or the person does not exist.
    pub async fn link_contact(
        &self,
        by: &Operator,
        contact: &str,
        username: &str,
    ) -> Result<(), DirectoryError> {
        self.directory(by).link_contact(contact, username).await
    }
}
