//! Whether an operator must do something now.

use std::{collections::HashMap, sync::Arc, time::Duration};

use hookswitch_core::{
    catalog::Live,
    domain::{LANES, Lane, Priority, Track},
};
use jiff::Timestamp;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::Operate;
use crate::{
    check::{self, Report, Subject},
    config::WhatsappConfig,
    store::{EventsWaiting, StoreError},
};

/// How long the result of a check is shown before it is repeated; it asks Meta.
const FRESH: Duration = Duration::from_secs(60);
/// How long a page waits for the check.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum number that is counted of each lane.
const COUNTED: i64 = 1_000;

/// What waits.
pub struct Overview {
    /// Events that are not routed yet.
    pub events: EventsWaiting,
    /// Number of messages that wait, by reason.
    pub messages: HashMap<String, i64>,
}

impl Operate {
    /// What waits, of all lanes; at most 1,000 of each are counted.
    pub async fn overview(&self) -> Result<Overview, StoreError> {
        let lanes: Vec<Lane> = (0..LANES).map(Lane).collect();
        let tracks: Vec<Track> =
            lanes.iter().flat_map(|lane| Priority::ALL.map(|priority| Track::new(*lane, priority))).collect();
        let events = self.store.events_waiting(&lanes, COUNTED).await?;
        let messages = self.store.messages_waiting(&tracks, COUNTED).await?;
        Ok(Overview { events, messages })
    }
}

/// The check of the set-up, as a running host sees it. At most one is running, and at most one a minute is started.
pub struct Setup {
    settings: WhatsappConfig,
    live: Arc<Live>,
    operate: Operate,
    last: Mutex<Option<(Instant, Arc<Report>)>>,
}

impl Setup {
    /// The check of a host with these settings and rules.
    pub fn new(settings: WhatsappConfig, live: Arc<Live>, operate: Operate) -> Setup {
        Setup { settings, live, operate, last: Mutex::default() }
    }

    /// The rules that are live.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The result of a check within the last minute; `None` if it takes longer than 5 seconds. It then goes on, for the
    /// next call.
    pub async fn report(self: &Arc<Self>) -> Option<Arc<Report>> {
        let setup = self.clone();
        let checking = tokio::spawn(async move {
            let mut last = setup.last.lock().await;
            if let Some((at, report)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
                tracing::trace!(age = ?at.elapsed(), "the last check is recent enough");
                return report.clone();
            }
            let catalog = setup.live.current();
            let subject = Subject {
                settings: Ok(&setup.settings),
                catalog: Ok(&catalog),
                store: Ok(&setup.operate.store),
                data_dir: None,
            };
            let report = Arc::new(check::check(&subject, Timestamp::now()).await);
            *last = Some((Instant::now(), report.clone()));
            report
        });
        timeout(PATIENCE, checking).await.ok()?.ok()
    }
}
