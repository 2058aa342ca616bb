//! Where a log has grown: told by whoever appends to it, heard by the part that reads it. A look into each of the lanes costs
//! several times as much as a look into those that have grown.

use std::{
    collections::BTreeSet,
    mem,
    sync::{Mutex, PoisonError},
};

use hookswitch_core::domain::Lane;
use tokio::sync::Notify;

/// Lanes whose log is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// These.
    Lanes(BTreeSet<Lane>),
    /// All.
    All,
}

impl Default for Unread {
    fn default() -> Self {
        Unread::Lanes(BTreeSet::new())
    }
}

impl FromIterator<Lane> for Unread {
    fn from_iter<T: IntoIterator<Item = Lane>>(lanes: T) -> Self {
        Unread::Lanes(lanes.into_iter().collect())
    }
}

impl Unread {
    /// Whether a lane is one of them.
    pub fn has(&self, lane: Lane) -> bool {
        match self {
            Unread::Lanes(lanes) => lanes.contains(&lane),
            Unread::All => true,
        }
    }

    /// Adds others.
    pub fn add(&mut self, others: Unread) {
        match (&mut *self, others) {
            (Unread::All, _) => {}
            (Unread::Lanes(lanes), Unread::Lanes(others)) => lanes.extend(others),
            (Unread::Lanes(_), Unread::All) => *self = Unread::All,
        }
    }
}

/// Tells one part of a process where its log has grown.
#[derive(Debug, Default)]
pub struct Grown {
    unread: Mutex<Unread>,
    bell: Notify,
}

impl Grown {
    /// The log has grown in these lanes.
    pub fn tell(&self, lanes: Unread) {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).add(lanes);
        self.bell.notify_one();
    }

    /// Waits until it has grown.
    pub async fn heard(&self) {
        self.bell.notified().await;
    }

    /// Where it has grown since the last call.
    pub fn take(&self) -> Unread {
        mem::take(&mut *self.unread.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Called when a log has grown in these lanes.
pub type Grew = std::sync::Arc<dyn Fn(Unread) + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_kept_until_it_is_taken() {
        let grown = Grown::default();
        grown.tell([Lane(1)].into_iter().collect());
        grown.tell([Lane(2)].into_iter().collect());
        let unread = grown.take();
        assert!(unread.has(Lane(1)) && unread.has(Lane(2)) && !unread.has(Lane(3)));
        assert_eq!(grown.take(), Unread::default());
        grown.tell(Unread::All);
        grown.tell([Lane(2)].into_iter().collect());
        assert_eq!(grown.take(), Unread::All);
    }
}
