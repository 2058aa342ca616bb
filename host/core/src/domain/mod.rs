//! Values used by all rooms. No I/O, nothing async.

mod at_most;
mod closest;
mod collect;
mod contact;
mod decision;
mod delivery;
mod event;
mod face;
mod fingerprint;
mod identity;
mod lane;
mod lane_share;
mod language;
mod notification;
mod number;
mod opt_out;
mod parts;
mod person;
mod quiet_hours;
mod same;
mod secrets;
mod senders;
mod switch;
mod visible;

pub use at_most::{AtMost, is_tag};
pub use closest::{closest, did_you_mean};
pub use collect::{Collect, CollectBy, DIGEST_TYPE, Digest, Unreadable, short};
pub use contact::{Contact, SERVICE_WINDOW, is_user_id};
pub use decision::{
    Asked, Cancel, Decision, DecisionOutcome, Engine, MOST_CANCELLED, MOST_KEY, Mode, Otherwise, Outcome,
    Priority, RuleRef, SendTime, Verdict, Withdraws,
};
pub use delivery::{Delivery, Status, WaitReason, status_of};
pub use event::{ANSWERS, Event, EventKey, is_traceparent};
pub use face::Face;
pub use fingerprint::fingerprint;
pub use identity::{Holder, Identities, IdentityChange, IdentityChanges, IdentityNews, Sighting};
pub use lane::{LANES, Lane, Track};
pub use lane_share::LaneShare;
pub use language::language;
pub use notification::{Cause, Message, Notification, NotificationId, OnUnknown, trace_id, uuid_at};
pub use number::{Number, digits, number, same_user, spellings};
pub use opt_out::{OptOut, OptOutScope, Preference, Refusal, wish};
pub use parts::{
    Action, Button, COPY_CODE, COPY_ONE_TIME_CODE, File, FileSource, Header, HeaderText, Location, MetaParts,
    Row, SEND_LOCATION, Section, carried,
};
pub use person::{People, Person};
pub use quiet_hours::QuietHours;
pub use same::{are_same_extensions, is_same_json};
pub use secrets::{HIDDEN, Secrets};
pub use senders::Senders;
pub use switch::{SwitchKind, SwitchMode, SwitchName};
pub use visible::{clean_name, is_visible, visible, visible_line};
