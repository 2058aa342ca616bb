//! Who may use how many of a host's connections to PostgreSQL. Each kind of work has its own, so that none waits for
//! what another does with them.

use crate::store::{Store, StoreError};

/// Below this many connections, what comes in has one.
const FEW: usize = 8;

/// A host's connections, by the kind of work.
pub(super) struct Shares {
    /// Routing, sending, schedules and maintenance: what is left by the others.
    pub(super) work: Store,
    /// The heartbeat: a host that is busy keeps its lanes.
    pub(super) lanes: Store,
    /// Events, webhooks and keys.
    pub(super) incoming: Store,
    /// What is asked over HTTP.
    pub(super) requests: Store,
}

impl Shares {
    /// Parts `connections`, of which `store` has those of the work.
    pub(super) fn of(store: &Store, connections: usize) -> Result<Shares, StoreError> {
        let Counts { incoming, requests, .. } = Counts::of(connections);
        Ok(Shares {
            work: store.clone(),
            lanes: store.share(1)?,
            incoming: store.share(incoming)?,
            requests: store.share(requests)?,
        })
    }
}

/// How many connections each kind of work has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) work: usize,
    incoming: usize,
    requests: usize,
}

impl Counts {
    /// Of so many in all, one of which is for the heartbeat.
    pub(super) fn of(connections: usize) -> Counts {
        let incoming = if connections < FEW { 1 } else { 2 };
        let requests = (connections * 3 / 16).max(1);
        let work = connections.saturating_sub(1 + incoming + requests).max(1);
        Counts { work, incoming, requests }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_work_has_a_connection_and_all_together_have_no_more_than_there_are() {
        for connections in 4..=200 {
            let Counts { work, incoming, requests } = Counts::of(connections);
            assert_eq!(1 + work + incoming + requests, connections);
            assert!(work.min(incoming).min(requests) > 0, "{connections}");
        }
        assert_eq!(Counts::of(16), Counts { work: 10, incoming: 2, requests: 3 });
    }
}
