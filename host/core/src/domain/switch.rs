//! What operators stop outside releases: a switch says what is stopped, and what becomes of its messages.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SwitchKind {
    /// A rule, by its file, or by its file and line.
    Rule,
    /// A template.
    Template,
    /// A group: those who get a message as members of stopped groups only.
    Group,
    /// A person.
    Person,
    /// A plugin: it is not called, and what it decided before is not sent.
    Plugin,
    /// A sending number.
    Number,
    /// All messages.
    Sending,
}

impl SwitchKind {
    /// All kinds.
    pub const ALL: [SwitchKind; 7] = [
        SwitchKind::Rule,
        SwitchKind::Template,
        SwitchKind::Group,
        SwitchKind::Person,
        SwitchKind::Plugin,
        SwitchKind::Number,
        SwitchKind::Sending,
    ];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            SwitchKind::Rule => "rule",
            SwitchKind::Template => "template",
            SwitchKind::Group => "group",
            SwitchKind::Person => "person",
            SwitchKind::Plugin => "plugin",
            SwitchKind::Number => "number",
            SwitchKind::Sending => "sending",
        }
    }
}

impl fmt::Display for SwitchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SwitchKind {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        SwitchKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == s)
            .ok_or_else(|| "must be rule, template, group, person, plugin, number or sending".to_owned())
    }
}

/// What becomes of messages that a switch covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SwitchMode {
    /// They wait until it is resumed, or until they expire.
    Held,
    /// They are never sent.
    Dropped,
    /// Those that were held are sent at a pace; new ones only wait behind those of the same recipient.
    Resuming,
}

impl SwitchMode {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            SwitchMode::Held => "held",
            SwitchMode::Dropped => "dropped",
            SwitchMode::Resuming => "resuming",
        }
    }
}

impl fmt::Display for SwitchMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SwitchMode {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "held" => Ok(SwitchMode::Held),
            "dropped" => Ok(SwitchMode::Dropped),
            "resuming" => Ok(SwitchMode::Resuming),
            other => Err(format!("unknown mode of a switch {other:?}")),
        }
    }
}

/// Which switch: `template thanks`, and `all sending`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SwitchName {
    /// What is stopped.
    pub kind: SwitchKind,
    /// Its name; [`SwitchName::ALL`] for all messages.
    pub name: String,
}

impl SwitchName {
    /// The name of the switch for all messages.
    pub const ALL: &'static str = "all";

    /// As stored with a message that it holds.
    pub fn key(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// That it is stopped, with who did it and why, for the history of a message or an event.
    pub fn stopped(&self, by: &str, reason: &str) -> String {
        format!("{self} is stopped by {by}: {reason}")
    }
}

impl fmt::Display for SwitchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SwitchKind::Sending => f.write_str("all sending"),
            kind => write!(f, "{kind} {}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for kind in SwitchKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        for mode in [SwitchMode::Held, SwitchMode::Dropped, SwitchMode::Resuming] {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert!("all".parse::<SwitchKind>().is_err() && "stopped".parse::<SwitchMode>().is_err());
    }

    #[test]
    fn a_switch_is_said_in_words() {
        let of = |kind, name: &str| SwitchName { kind, name: name.to_owned() };
        let thanks = of(SwitchKind::Template, "thanks");
        assert_eq!(thanks.stopped("ana", "a typo"), "template thanks is stopped by ana: a typo");
        let all = of(SwitchKind::Sending, SwitchName::ALL);
        assert_eq!(all.stopped("ana", "drill"), "all sending is stopped by ana: drill");
        assert_eq!((all.key(), thanks.key()), ("sending all".to_owned(), "template thanks".to_owned()));
    }
}
