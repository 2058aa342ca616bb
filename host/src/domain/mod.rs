//! The values that every room speaks of. No I/O, nothing async.

mod collect;
mod contact;
mod decision;
mod delivery;
mod event;
mod lane;
mod notification;
mod number;
mod opt_out;
mod person;
mod quiet_hours;
mod senders;

pub use collect::{Collect, CollectBy, Digest, short};
pub use contact::{Contact, SERVICE_WINDOW, is_user_id};
pub use decision::{Asked, Decision, Engine, Mode, Outcome, Priority, RuleRef, SendTime, Verdict};
pub use delivery::{Delivery, Status, WaitReason, status_of};
pub use event::{Event, EventKey};
pub use lane::{LANES, Lane, Track};
pub use notification::{Button, Message, Notification, NotificationId, OnUnknown};
pub use number::{Number, number, same_user};
pub use opt_out::{OptOut, OptOutScope, Preference, wish};
pub use person::{People, Person};
pub use quiet_hours::QuietHours;
pub use senders::Senders;
