//! Webhooks: what is to be told, in which JSON, and the posting of it.

mod deliver;
mod escape;
mod payload;
mod queue;

pub use deliver::run;
pub use queue::{Due, Inbound, Queue, Update};
