//! Replays: what another release would have made of past events, compared with what was decided then. Nothing is sent.
//!
//! What was decided then is taken from the log; it is not decided again. Where the rules of now decide the same, and the
//! template is the same, the messages are the same and are not looked at. Otherwise the messages of both decisions are
//! planned, each with the templates of its release, for the same people: those of now. So what differs comes from the rules
//! alone, and neither from people who have changed groups nor from the versions of templates that Meta had approved; and a
//! replay by the release that decided finds no change. The texts in the log are not compared with: they depend on both.
//!
//! Deduplication keys, digests, limits, quiet hours and windows stay as they were then. Only keys that are new are worked
//! out from the events that were looked at.
//!
//! Where there is no database, events come from a file, and what was decided then is found out by deciding it again by the
//! rules of then.

mod comparer;
mod cpu;
mod crew;
mod difference;
mod file;
mod judge;
mod kept;
mod keys;
mod pace;
mod people;
mod ports;
mod prices;
mod report;
mod run;
mod weigh;
mod words;

pub(super) use self::{
    comparer::Found,
    file::MOST_PEOPLE,
    judge::Cost,
    kept::{HELD, read},
    pace::BYTES,
    run::{Replayer, lingers},
};
pub use self::{
    difference::ReplayDifference,
    file::{FileReplayError, replay_file},
    kept::{KeptReplay, NoReplay, ReplayChoice, ReplayDetail},
    prices::{Price, check_prices},
    report::{
        NotCompared, ReplayChanges, ReplayCost, ReplayEvent, ReplayExample, ReplayReport, ReplayTotals,
        ThenNow,
    },
    run::{ReplayError, run_replays},
    weigh::EventDifference,
    words::{Piece, word_diff},
};
pub use crate::store::ReplayTask;
