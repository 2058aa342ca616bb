//! Reads the notification log, paces, sends, and appends what happened.
//!
//! One task owns the queue and the paces, so order and limits are exact without a lock and without SQL.
//! Sends run beside it; outcomes are written by one writer, in batches. What happens to a notification:
//!
//! 1. `reader` reads it after the lane's cursor, or from `deferred` when it is due.
//! 2. `queue` lets one message of a recipient go at a time; `pace` says when.
//! 3. Its intent is appended, the unique key deciding whose it is; then it is sent.
//! 4. `settle` says what the answer means; `writer` appends that, and the recipient's next may go.
//!
//! A crash loses nothing: up to the lane's checkpoint everything has its outcome or waits in `deferred`;
//! after it, an intent without an outcome is unknown, and waits for a webhook before it is sent again.

mod daily;
mod dispatcher;
mod form;
mod lanes;
mod pace;
mod queue;
mod reader;
mod recover;
mod sender;
mod settle;
mod writer;

pub use daily::watch_daily_limit;
pub use dispatcher::{Dispatch, Rooms};
