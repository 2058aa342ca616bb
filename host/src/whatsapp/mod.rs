//! Meta's WhatsApp Business Cloud API: the only room that knows Meta's JSON.
//!
//! [`Client`] sends, [`management`] looks after account and templates, [`webhooks`] reads what comes back later, and
//! [`errors`] says what an error code means and what to do about it. What is not here: when to send, and whether to
//! try again.

mod answers;
mod client;
mod compare;
pub mod errors;
pub mod management;
mod messages;
mod next;
mod resolve;
mod signature;
pub mod webhooks;

pub use answers::{Accepted, SendError};
pub use client::{Client, ClientError};
pub use compare::{Difference, State, TemplateState, compare};
pub use errors::{Treatment, meaning, treatment};
pub use messages::Form;
pub use next::{MAX_FAILURES, Next, NumberEffect, next};
pub use signature::{is_signature, verify};
