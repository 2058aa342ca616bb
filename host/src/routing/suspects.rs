//! Suspects: events that may have killed a host. They are decided alone, after recording that, so that an event that has
//! killed two hosts is not decided a third time. Costs nothing while hosts stop properly.
//!
//! A host records once in `lane.routed_by` that it routes a lane, and removes that when it stops. A host that takes a lane
//! from a dead host that did not remove it lists the lane's next events in `unfinished` instead of deciding them in a batch,
//! as the last batch of the dead host did; then it decides them one after the other.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    Routing, State,
    calls::{Answer, decided},
    work::{Entry, MOST_BYTES, Origin, Work, weight},
    write::Written,
};
use crate::store::StoreError;

/// Maximum number of suspects decided before they are written.
const GROUP: usize = 64;
/// Approximate maximum time for that: other events wait meanwhile.
const TURN: Duration = Duration::from_millis(50);

impl Routing {
    /// Decides some suspects, each alone. Returns whether there were any.
    pub(super) async fn decide_suspects(
        &self,
        state: &mut State,
        answering: &mpsc::UnboundedSender<Answer>,
    ) -> Result<bool, StoreError> {
        let (items, alone) = state.aside.next_suspects(GROUP);
        let Some(first) = items.first() else { return Ok(false) };
        let in_force = self.catalog.in_force();
        if !first.asks.is_empty() {
            self.begin(state, items, &in_force, answering).await?;
            return Ok(false);
        }
        let places: Vec<_> = items.iter().map(|item| (item.lane, item.seq)).collect();
        let events = self.store.events_at(&places).await?.into_iter();
        let mut events: HashMap<_, _> = events.map(|logged| ((logged.lane, logged.seq), logged)).collect();
        let (mut entries, mut left) = (Vec::new(), MOST_BYTES);
        let (mut items, mut decided_of) = (items.into_iter(), HashMap::new());
        let began = Instant::now();
        for item in items.by_ref() {
            let place = (item.lane, item.seq);
            if let Some(logged) = events.remove(&place) {
                // Only a death between these two is blamed on the event.
                self.store.begin_deciding(self.host, &[place], alone).await?;
                let observed = self.observed();
                let trace = self.tracer.continued(&logged.event, None);
                let catalog = in_force.of_event(logged.lane, &logged.event).clone();
                let verdicts = decided(&catalog, logged.clone(), self.store.now(), None, &observed).await;
                left = left.saturating_sub(weight(&verdicts));
                let origin = Origin::Aside;
                entries.push(Entry::Decided(Work { logged, verdicts, catalog, origin, trace, large: false }));
            }
            decided_of.insert(place, item);
            if left == 0 || began.elapsed() > TURN {
                break;
            }
        }
        self.store.begin_deciding(self.host, &[], false).await?;
        state.aside.put_back(items.collect());
        let mut written = Written::default();
        self.write(state, entries, &mut written).await?;
        // Those that did not fit into the transaction are written in the next.
        for entry in std::mem::take(&mut written.left) {
            if let (Some(item), Entry::Decided(work)) = (decided_of.remove(&entry.place()), entry) {
                state.aside.answer(item.key(), work);
            }
        }
        decided_of.values().for_each(|item| state.aside.done(item));
        (self.notified)(std::mem::take(&mut written.told));
        written.settle(state);
        Ok(true)
    }
}
