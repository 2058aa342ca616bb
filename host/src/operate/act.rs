//! Who acts, and what is recorded of it.

use nix::unistd::{Uid, User};
use serde::Serialize;

use super::Operate;
use crate::store::{Act, ActionWay, StoreError};

/// Maximum length of what an action was about, in bytes of JSON.
const WHAT: usize = 4_000;

/// Somebody who acts, and by which way.
#[derive(Clone, Debug)]
pub struct Operator {
    pub(super) who: String,
    pub(super) way: ActionWay,
}

impl Operator {
    /// The holder of an API key.
    pub fn by_key(name: &str) -> Operator {
        Operator { who: name.to_owned(), way: ActionWay::Api }
    }

    /// The holder of an API key who has opened the console with it.
    pub fn by_console(name: &str) -> Operator {
        Operator { who: name.to_owned(), way: ActionWay::Console }
    }

    /// The name of the key, or the user of the command line.
    pub fn name(&self) -> &str {
        &self.who
    }

    /// An act of this operator, not carried out yet.
    pub(super) fn act(&self, action: &'static str, what: &impl Serialize, reason: Option<&str>) -> Act {
        Act::new(self.who.clone(), self.way, action, bounded(what), reason.map(str::to_owned))
    }
}

impl Operate {
    /// The user of the command line: the user of this machine, and the role of the database.
    pub async fn user(&self) -> Result<Operator, StoreError> {
        let uid = Uid::current();
        let user = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
        let role = self.store.role().await?;
        Ok(Operator { who: format!("{user} (database role {role})"), way: ActionWay::Cli })
    }
}

/// The JSON of what an action is about. Of a long list of ids it says how many there are: the messages of an action are
/// recorded one by one.
fn bounded(what: &impl Serialize) -> String {
    let mut json = serde_json::to_value(what).unwrap_or_default();
    let ids = json.get("ids").and_then(|ids| ids.as_array()).map(Vec::len);
    if let (Some(count), true, Some(members)) = (ids, json.to_string().len() > WHAT, json.as_object_mut()) {
        members.insert("ids".to_owned(), count.into());
    }
    json.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_lists_are_recorded_as_their_number() {
        assert_eq!(bounded(&json!({"ids": ["a"]})), r#"{"ids":["a"]}"#);
        assert_eq!(bounded(&json!({"ids": vec!["0123456789"; 1_000]})), r#"{"ids":1000}"#);
    }
}
