//! Meta's WhatsApp Business Cloud API: the only room that knows Meta's JSON.
//!
//! [`Client`] sends, [`webhooks`] reads what comes back later, and [`errors`] says what an error code means
//! and what to do about it. What is not here: when to send, and whether to try again.

mod client;
pub mod errors;
mod messages;
pub mod webhooks;

pub use client::{Accepted, Client, ClientError, SendError};
pub use errors::{Treatment, meaning, treatment};
pub use messages::Form;
