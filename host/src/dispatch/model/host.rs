//! A process: what dispatch has in memory, and what its tasks have in hand.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use hookswitch_core::domain::NotificationId;

use super::{
    super::{
        book::Book,
        job::{Job, Place},
        writer::Write,
    },
    UNKNOWN_FOR,
};
use crate::lanes::{Leases, Progress};

/// A process: its book, and what its tasks have in hand.
pub(super) struct Host {
    pub(super) book: Book,
    pub(super) progress: Arc<Progress>,
    pub(super) leases: Leases,
    /// The server is another by now, and it does not know yet.
    pub(super) is_of_old_server: bool,
    /// With the writer.
    pub(super) writes: VecDeque<Write>,
    pub(super) written: VecDeque<Place>,
    /// Batches whose intents are to be appended, and whose were.
    pub(super) intending: VecDeque<Vec<Job>>,
    pub(super) intended: VecDeque<(Vec<Job>, Option<HashSet<NotificationId>>)>,
    /// Of these batches, what an operator has stopped.
    pub(super) stopped: HashSet<NotificationId>,
    /// Sent, and no answer yet.
    pub(super) sent: Vec<Job>,
}

impl Host {
    pub(super) fn new() -> Host {
        let progress = Arc::new(Progress::default());
        Host {
            book: Book::new(progress.clone(), UNKNOWN_FOR, true),
            progress,
            leases: Leases::default(),
            is_of_old_server: false,
            writes: VecDeque::new(),
            written: VecDeque::new(),
            intending: VecDeque::new(),
            intended: VecDeque::new(),
            stopped: HashSet::new(),
            sent: Vec::new(),
        }
    }

    pub(super) fn hand_in(&mut self) {
        self.writes.extend(self.book.writes());
    }
}
