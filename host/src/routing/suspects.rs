//! What may have killed a host is decided alone, and noted before: an event that a host died of twice is not decided a
//! third time. Costs nothing while hosts stop properly.
//!
//! A host says in `lane.routed_by` that it routes a lane, once, and takes that back when it stops. Whoever takes a lane
//! of a host that did not, and lives no more, lists the lane's next events in `unfinished` instead of deciding them in a
//! batch, as the last batch of the dead host did; then it decides them one after the other.

use tokio::sync::mpsc;

use super::{
    Routing, State,
    calls::{Answer, decided},
    work::{Entry, Origin, Work},
    write::Written,
};
use crate::store::StoreError;

impl Routing {
    /// Decides one event alone; tells whether there was one.
    pub(super) async fn decide_suspect(
        &self,
        state: &mut State,
        answering: &mpsc::UnboundedSender<Answer>,
    ) -> Result<bool, StoreError> {
        let Some(item) = state.aside.next_suspect() else { return Ok(false) };
        let catalog = self.catalog.current();
        if !item.asks.is_empty() {
            self.begin(state, vec![item], &catalog, answering).await?;
            return Ok(false);
        }
        let place = (item.lane, item.seq);
        for logged in self.store.events_at(&[place]).await? {
            // Only what happens between these two is its doing: who kills the host at another moment blames no event.
            self.store.begin_deciding(self.host, &[place], state.aside.running() == 1).await?;
            let verdicts = decided(&catalog, logged.clone(), self.store.now()).await;
            self.store.begin_deciding(self.host, &[], false).await?;
            let (catalog, origin) = (catalog.clone(), Origin::Aside);
            let work = Work { logged, verdicts, catalog, origin, large: false };
            let mut written = Written::default();
            self.write(state, vec![Entry::Decided(work)], &mut written).await?;
            written.settle(state);
        }
        state.aside.done(&item);
        (self.notified)();
        Ok(true)
    }
}
