//! What we give Meta with each message, and Meta repeats in each report about it (`biz_opaque_callback_data`): who sent it is
//! known without a look into the database, and what it is counted as.

use std::{fmt, str::FromStr};

use hookswitch_core::domain::NotificationId;
use jiff::Timestamp;
use uuid::Uuid;

/// `{notification}:{attempt}:{due}:{template}`, at most 512 characters for Meta. Older hosts send the first two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackData {
    /// The message.
    pub id: NotificationId,
    /// The attempt, from 1.
    pub attempt: i16,
    /// When the message was due, in milliseconds; `None` if it waited for quiet hours, a window or a limit.
    pub due_at: Option<Timestamp>,
    /// The template's name in the catalog; empty if an older host sent it.
    pub template: String,
}

/// Longer names are left out: what can be counted is not worth a refused message.
const TEMPLATE: usize = 400;

impl fmt::Display for CallbackData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.id, self.attempt)?;
        if let Some(due_at) = self.due_at {
            write!(f, "{}", due_at.as_millisecond())?;
        }
        let is_short = self.template.chars().count() <= TEMPLATE;
        write!(f, ":{}", if is_short { self.template.as_str() } else { "" })
    }
}

/// It is not of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOurs;

impl FromStr for CallbackData {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<CallbackData, NotOurs> {
        let mut parts = text.splitn(4, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (id, attempt, due, template) = (next(), next(), next(), next());
        let id = Uuid::try_parse(id).map_err(|_| NotOurs)?;
        let attempt = attempt.parse().ok().filter(|attempt| *attempt > 0).ok_or(NotOurs)?;
        let due_at = due.parse().ok().and_then(|due| Timestamp::from_millisecond(due).ok());
        Ok(CallbackData { id: NotificationId(id), attempt, due_at, template: template.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198a5c0-0000-7000-8000-000000000001";

    fn data(due_at: Option<i64>, template: &str) -> CallbackData {
        let due_at = due_at.and_then(|due| Timestamp::from_millisecond(due).ok());
        let id = NotificationId(Uuid::try_parse(ID).unwrap_or_default());
        CallbackData { id, attempt: 2, due_at, template: template.to_owned() }
    }

    #[test]
    fn what_is_written_is_read() {
        for (data, text) in [
            (data(Some(1_764_246_000_123), "order_created"), format!("{ID}:2:1764246000123:order_created")),
            (data(None, "a:b"), format!("{ID}:2::a:b")),
        ] {
            assert_eq!(data.to_string(), text);
            assert_eq!(text.parse(), Ok(data));
        }
        // Of a host before this version.
        assert_eq!(format!("{ID}:2").parse(), Ok(data(None, "")));
        assert_eq!(data(None, &"x".repeat(401)).to_string(), format!("{ID}:2::"));
    }

    #[test]
    fn what_others_write_is_not_ours() {
        for text in
            ["", "hello", ID, "hello:1", &format!("{ID}:0"), &format!("{ID}:-1"), &format!("{ID}:99999")]
        {
            assert_eq!(text.parse::<CallbackData>(), Err(NotOurs), "{text}");
        }
    }
}
