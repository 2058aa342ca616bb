//! Appends events, those of many requests in one commit.

use std::time::Instant;

use super::attributes::Checked;
use crate::{
    commit::{Commit, Outcome},
    lanes::Grew,
    metrics::IntakeMetrics,
    store::{Clash, NewEvent, Store, StoreError},
};

/// Bytes of payload of a commit, or one request.
const COMMIT_BYTES: usize = 8 * 1024 * 1024;

/// Appends the events of requests: of one request all or none.
pub struct Append {
    /// The log.
    pub store: Store,
    /// Called after each commit.
    pub grew: Grew,
    /// Counts commits and events.
    pub metrics: IntakeMetrics,
}

impl Commit for Append {
    type Item = Vec<Checked>;
    /// Other events have the ids and sources of these, and none was appended; or there are no clashes, and all were.
    type Answer = Vec<Clash>;

    const NAME: &'static str = "events";
    const SIZE: usize = COMMIT_BYTES;

    fn size(request: &Vec<Checked>) -> usize {
        request.iter().map(|checked| checked.event.data.get().len()).sum()
    }

    async fn commit(&self, requests: &[&Vec<Checked>]) -> Result<Vec<Outcome<Vec<Clash>>>, StoreError> {
        let events: Vec<NewEvent<'_>> = requests
            .iter()
            .flat_map(|request| request.iter())
            .map(|checked| NewEvent {
                event: &checked.event,
                sha256: &checked.sha256,
                has_time: checked.has_time,
            })
            .collect();
        // One event alone is appended or not: that needs no transaction around it.
        let together = events.len() > requests.len();
        let began = Instant::now();
        let clashes = self.store.append_events(&events, together).await?;
        let appended = !together || clashes.is_empty();
        if appended {
            (self.grew)(events.iter().map(|new| new.event.lane()).collect());
            self.metrics.committed(events.len(), began.elapsed());
        }
        let lengths: Vec<usize> = requests.iter().map(|request| request.len()).collect();
        Ok(outcomes(&lengths, &clashes, appended))
    }
}

/// Tells requests of these lengths of their own clashes.
fn outcomes(lengths: &[usize], clashes: &[Clash], appended: bool) -> Vec<Outcome<Vec<Clash>>> {
    let (mut first, mut clashes) = (0, clashes);
    lengths
        .iter()
        .map(|length| {
            let next = first + length;
            let (own, later) = clashes.split_at(clashes.partition_point(|clash| clash.place < next));
            let own: Vec<Clash> =
                own.iter().map(|clash| Clash { place: clash.place - first, ..clash.clone() }).collect();
            (first, clashes) = (next, later);
            if own.is_empty() && !appended { Outcome::Again } else { Outcome::Done(own) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn clash(place: usize) -> Clash {
        Clash { place, received_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn each_request_hears_of_its_own_clashes() {
        let outcomes = outcomes(&[1, 3, 2], &[clash(1), clash(3), clash(5)], true);
        let done = |places: &[usize]| Outcome::Done(places.iter().map(|place| clash(*place)).collect());
        assert_eq!(outcomes, [done(&[]), done(&[0, 2]), done(&[1])]);
    }

    #[test]
    fn where_nothing_was_appended_the_others_go_again() {
        assert_eq!(outcomes(&[2, 1], &[clash(0)], false), [Outcome::Done(vec![clash(0)]), Outcome::Again]);
    }
}
