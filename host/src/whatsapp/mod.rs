//! Meta's WhatsApp Business Cloud API: the only room with Meta's JSON.
//!
//! [`Client`] sends messages, [`management`] manages account and templates, [`webhooks`] reads webhooks, and [`errors`]
//! explains error codes. Other rooms decide when to send, and whether to try again.

mod answers;
mod callback_data;
mod client;
mod compare;
mod content;
pub mod errors;
pub mod management;
mod media;
mod messages;
mod next;
mod resolve;
mod signature;
pub mod webhooks;

pub use answers::{Accepted, SendError};
pub use callback_data::CallbackData;
pub use client::{Client, ClientError};
pub use compare::{Difference, State, TemplateState, compare, joined};
pub use errors::{Treatment, is_known, meaning, treatment};
pub use media::{KEPT, LARGEST, Upload, is_about_media};
pub use messages::{Form, file_in};
pub use next::{MAX_FAILURES, Next, NumberEffect, next};
pub use signature::{is_signature, verify};
