//! Accounts for each event that was accepted, and each message that Meta's stand-in took.

use std::{collections::HashMap, time::Duration};

use crate::harness::{Database, Simulator, wait_until};

/// Generous: retries, leases and unknown outcomes take their time.
const PATIENCE: Duration = Duration::from_secs(180);

/// The books of one case.
#[derive(Debug)]
pub struct Ledger {
    /// Events that got 202.
    pub accepted: usize,
    /// Events whose message was taken.
    pub sent: usize,
    /// Accepted, not sent, and neither failed nor waiting with a reason.
    pub lost: usize,
    /// Messages beyond the first of an event.
    pub doubled: usize,
    /// Of which nobody can tell.
    pub unknown: usize,
    /// Given up with a reason.
    pub failed: usize,
}

impl Ledger {
    /// Waits until every event has its decision and every notification its end, and counts.
    pub async fn close(
        case: &'static str,
        accepted: usize,
        database: &Database,
        simulator: &Simulator,
        seed: u64,
    ) -> Ledger {
        let ended = "SELECT count(*) FROM notification n WHERE EXISTS (
                         SELECT FROM delivery d WHERE d.notification_id = n.id
                         AND d.status IN ('accepted', 'held', 'sent', 'failed', 'delivered', 'read'))
                     AND NOT EXISTS (SELECT FROM deferred w WHERE w.lane = n.lane AND w.seq = n.seq)";
        let expected = i64::try_from(accepted).unwrap();
        wait_until("every notification has come to its end", PATIENCE, async || {
            database.try_count(ended).await == Some(expected)
        })
        .await;
        let events = "SELECT count(*) FROM event WHERE source = '/faults'";
        let decisions =
            "SELECT count(*) FROM decision d JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                         WHERE e.source = '/faults'";
        assert_eq!(database.count(events).await, expected, "{case}: each event is stored once");
        assert_eq!(database.count(decisions).await, expected, "{case}: each is routed once");
        let unknown = "SELECT count(*) FROM deferred WHERE reason IN ('unknown', 'hold')";
        let failed = "SELECT count(DISTINCT d.notification_id) FROM delivery d WHERE d.status = 'failed'
                      AND NOT EXISTS (SELECT FROM delivery a WHERE a.notification_id = d.notification_id
                          AND a.status IN ('accepted', 'sent', 'delivered', 'read') AND a.attempt >= d.attempt)";
        let mut taken: HashMap<String, usize> = HashMap::new();
        for message in simulator.messages().await {
            *taken.entry(message["to"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let count = async |sql: &str| usize::try_from(database.count(sql).await).unwrap();
        let (unknown, failed) = (count(unknown).await, count(failed).await);
        let ledger = Ledger {
            accepted,
            sent: taken.len(),
            lost: accepted - taken.len().min(accepted) - failed.min(accepted - taken.len().min(accepted)),
            doubled: taken.values().map(|count| count - 1).sum(),
            unknown,
            failed,
        };
        println!(
            "{case:<58} accepted {:>5}  sent {:>5}  lost {:>2}  doubled {:>2}  unknown {:>2}  failed {:>2}  (seed {seed})",
            ledger.accepted, ledger.sent, ledger.lost, ledger.doubled, ledger.unknown, ledger.failed
        );
        assert_eq!(ledger.lost, 0, "{case}: {ledger:?}");
        ledger
    }

    /// All was sent, and nothing twice.
    pub fn is_exact(&self) {
        assert_eq!((self.sent, self.doubled, self.unknown), (self.accepted, 0, 0), "{self:?}");
    }

    /// All was sent, and at most so many twice: those that were on their way when something broke.
    pub fn is_whole(&self, doubled: usize) {
        assert_eq!((self.sent, self.unknown), (self.accepted, 0), "{self:?}");
        assert!(self.doubled <= doubled, "{self:?}");
    }
}
