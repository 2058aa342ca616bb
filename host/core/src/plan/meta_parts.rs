//! Header and buttons of a template at Meta.

use std::fmt;

use super::media::MediaKind;
use crate::domain::{COPY_CODE, COPY_ONE_TIME_CODE};

/// A header at Meta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaHeader {
    /// A line of text, with `{{1}}` in place of its value.
    Text(String),
    /// A file, of which each message has its own.
    Media(MediaKind),
    /// A place.
    Location,
}

/// A button at Meta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaButton {
    /// A quick reply with this title.
    Reply(String),
    /// A link.
    Url {
        /// Title.
        title: String,
        /// The link, with `{{1}}` in place of the value at its end.
        url: String,
    },
    /// A call.
    Phone {
        /// Title.
        title: String,
        /// The number.
        number: String,
    },
    /// Copies a code; Meta words its title.
    Code,
    /// Copies the one-time code of an authentication template; Meta words its title.
    OneTimeCode,
}

impl MetaHeader {
    /// Whether it has a value.
    pub fn has_value(&self) -> bool {
        match self {
            MetaHeader::Text(text) => text.contains("{{1}}"),
            MetaHeader::Media(_) | MetaHeader::Location => true,
        }
    }
}

impl fmt::Display for MetaHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetaHeader::Text(text) => f.write_str(text),
            MetaHeader::Media(kind) => write!(f, "({kind})"),
            MetaHeader::Location => f.write_str("(location)"),
        }
    }
}

impl MetaButton {
    /// Its title.
    pub fn title(&self) -> &str {
        match self {
            MetaButton::Reply(title) | MetaButton::Url { title, .. } | MetaButton::Phone { title, .. } => {
                title
            }
            MetaButton::Code => COPY_CODE,
            MetaButton::OneTimeCode => COPY_ONE_TIME_CODE,
        }
    }

    /// Whether it has a value.
    pub fn has_value(&self) -> bool {
        match self {
            MetaButton::Url { url, .. } => url.contains("{{1}}"),
            MetaButton::Code | MetaButton::OneTimeCode => true,
            MetaButton::Reply(_) | MetaButton::Phone { .. } => false,
        }
    }
}

impl fmt::Display for MetaButton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetaButton::Reply(title) => f.write_str(title),
            MetaButton::Url { title, url } => write!(f, "{title}: {url}"),
            MetaButton::Phone { title, number } => write!(f, "{title}: {number}"),
            MetaButton::Code | MetaButton::OneTimeCode => f.write_str(self.title()),
        }
    }
}
