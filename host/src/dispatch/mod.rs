//! Reads the notification log, paces, sends, and appends what happened.
//!
//! # A message's life
//!
//! ```text
//!             log ──► ready ──► under way ──► written: its line's next may go
//!                      ▲ │          │
//!      due, explained  │ └──────────┤ waits: a retry, a limit, a webhook, a window, a time
//!                      │            ▼
//!                   deferred ◄── leaving: not written yet
//! ```
//!
//! A **line** is a sending number and a recipient: one of its messages is on its way at a time. Its messages of one
//! priority keep their order: while an earlier one waits for something that keeps others waiting
//! ([`WaitReason::blocks_others`](hookswitch_core::domain::WaitReason::blocks_others)), later ones wait in `deferred` behind it.
//! Messages of a higher priority overtake: each priority of a lane is a **track** of the log, with a cursor of its own
//! and room of its own in memory.
//!
//! # Who owns what
//!
//! | task | owns | is woken by |
//! |---|---|---|
//! | `dispatcher`, one | the `book` (`lines`: where messages stand; `readings`: how far the log is read), the paces | the log has grown, a lane came or went, intents, answers and writes are done, a second has passed |
//! | one for each batch of intents, two at most | the batch until its intents are appended | |
//! | one for each send | the message until its answer is there | |
//! | `writer`, one | what is to be written, until it is | outcomes and waits |
//!
//! So order and limits need no lock. They are exact within this process: after a restart the paces begin anew, and the
//! number's rate is shared with the other hosts by lanes. The book, `settle`, `recover`, `form` and `pace` are pure.
//!
//! # What holds when something fails
//!
//! A reading takes nothing in before all of its queries are answered; a cursor moves with the row that was taken in. On an
//! error the book is forgotten, and each lane is read anew from its checkpoint once what is under way in it is written. So
//! a crash or an error loses nothing: up to the checkpoint everything has its outcome or waits in `deferred`; after it, an
//! intent without an outcome is unknown, and waits for a webhook before it is sent again. A unique key decides whose an
//! intent is. `model` walks through all of that at random.

mod answers;
mod book;
mod daily;
mod dispatcher;
mod form;
mod intents;
mod job;
mod lines;
#[cfg(test)]
mod model;
mod pace;
mod reader;
mod readings;
mod recover;
mod sender;
mod settle;
mod state;
mod uploads;
mod writer;

pub use daily::{users_of_tier, watch_daily_limit};
pub use state::{Deps, Dispatch};
pub use uploads::Uploads;
