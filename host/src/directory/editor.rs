//! Changes of the directory: whoever makes one is named, and each is recorded.

use std::ops::Deref;

use hookswitch_core::plan::recipient;
use serde_json::Value;

use super::{Directory, DirectoryError};
use crate::store::{Act, ActionWay};

/// Somebody who changes the directory.
pub struct Editor {
    directory: Directory,
    who: String,
    way: ActionWay,
}

impl Directory {
    /// The directory in the hands of somebody: a key, or the user of the command line.
    pub fn by(&self, who: &str, way: ActionWay) -> Editor {
        Editor { directory: self.clone(), who: who.to_owned(), way }
    }
}

impl Editor {
    /// Records that this was changed; nothing if `count` is 0.
    pub(super) async fn record(
        &self,
        action: &'static str,
        what: Value,
        count: usize,
    ) -> Result<(), DirectoryError> {
        let act = Act::new(self.who.clone(), self.way, action, what.to_string(), None);
        Ok(self.store.record_action(&act, count).await?)
    }
}

impl Deref for Editor {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

/// A contact as it is recorded for a year: of a number, the last four characters. Somebody may be forgotten meanwhile.
pub fn recorded(contact: &str) -> String {
    match recipient(contact) {
        Ok(address) => {
            let characters = address.chars().count();
            let last: String = address.chars().skip(characters.saturating_sub(4)).collect();
            format!("…{last}")
        }
        Err(_) => contact.to_owned(),
    }
}
