//! A running host as its operators see it: its settings, its rules, and what they make of the database.

use std::{sync::Arc, time::Duration};

use hookswitch_core::catalog::Live;
use jiff::Timestamp;
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, timeout},
};

use super::{Operate, numbers::AskedNumbers, rehearsal::AT_ONCE, templates::AskedTemplates};
use crate::{
    check::{self, Report, Subject},
    config::WhatsappConfig,
    whatsapp::Client,
};

/// How long what Meta said is shown before Meta is asked again.
pub(super) const FRESH: Duration = Duration::from_secs(60);
/// How long a request waits for the check.
const PATIENCE: Duration = Duration::from_secs(5);

/// A host with its settings and its live rules: what an operator can see and do with both of them. What needs only the
/// database is in [`Operate`].
pub struct Setup {
    pub(super) settings: WhatsappConfig,
    pub(super) client: Client,
    pub(super) live: Arc<Live>,
    pub(super) operate: Operate,
    last: Mutex<Option<(Instant, Arc<Report>)>>,
    pub(super) numbers: Mutex<Option<AskedNumbers>>,
    pub(super) templates: Mutex<Option<AskedTemplates>>,
    /// The turns to try events.
    pub(super) trials: Semaphore,
}

impl Setup {
    /// A host with these settings, a client for the Cloud API, and rules.
    pub fn new(settings: WhatsappConfig, client: Client, live: Arc<Live>, operate: Operate) -> Setup {
        let (last, numbers, templates) = Default::default();
        Setup { settings, client, live, operate, last, numbers, templates, trials: Semaphore::new(AT_ONCE) }
    }

    /// The rules that are live.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What can be done with the database alone.
    pub fn operate(&self) -> &Operate {
        &self.operate
    }

    /// The result of a check within the last minute; `None` if it takes longer than 5 seconds. It then goes on, for the
    /// next call. At most one is running, and at most one a minute is started.
    pub async fn report(self: &Arc<Self>) -> Option<Arc<Report>> {
        let setup = self.clone();
        let checking = tokio::spawn(async move {
            let mut last = setup.last.lock().await;
            if let Some((at, report)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
                tracing::trace!(age = ?at.elapsed(), "the last check is recent enough");
                return report.clone();
            }
            let report = Arc::new(setup.check().await);
            *last = Some((Instant::now(), report.clone()));
            report
        });
        timeout(PATIENCE, checking).await.ok()?.ok()
    }

    /// Forgets the last check: something was changed that it says.
    pub(super) async fn has_changed(&self) {
        *self.last.lock().await = None;
    }

    async fn check(&self) -> Report {
        let catalog = self.live.current();
        let subject = Subject {
            settings: Ok(&self.settings),
            catalog: Ok(&catalog),
            store: Ok(&self.operate.store),
            data_dir: None,
        };
        check::check(&subject, Timestamp::now()).await
    }
}
