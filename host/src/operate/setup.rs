//! A running host as its operators see it: its settings, its rules, and what they make of the database.

use std::{
    future::pending,
    panic::resume_unwind,
    sync::{Arc, Mutex as Locked, PoisonError},
    time::Duration,
};

use hookswitch_core::catalog::{Folders, Live};
use jiff::Timestamp;
use tokio::{
    runtime::Handle,
    sync::{Mutex, Semaphore},
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{
    Activated, ActivationError, Checker, CreatedRelease, HowToActivate, NewShadow, NoShadow, Operate,
    Operator, ShadowReport, numbers::AskedNumbers, rehearsal::AT_ONCE, templates::AskedTemplates,
};
use crate::{
    check::{self, Report, Severity, Subject},
    config::WhatsappConfig,
    metrics::{QUALITIES, Supervised},
    releases::{self, ReleaseError},
    whatsapp::Client,
};

/// How long what Meta said is shown before Meta is asked again.
pub(super) const FRESH: Duration = Duration::from_secs(60);
/// How old a check may be for a page to be shown at once, while the next one runs.
const SHOWN: Duration = Duration::from_secs(300);
/// How old is what the metrics say of the check, of numbers and of the daily limit, before it is looked at again.
const SUPERVISED: Duration = Duration::from_secs(300);
/// How long a request waits for the check.
const PATIENCE: Duration = Duration::from_secs(5);

/// A host with its settings and its live rules: what an operator can see and do with both of them. What needs only the
/// database is in [`Operate`].
pub struct Setup {
    pub(super) settings: WhatsappConfig,
    pub(super) client: Client,
    pub(super) live: Arc<Live>,
    pub(super) operate: Operate,
    last: Locked<Option<(Instant, Arc<Report>)>>,
    /// Who holds it checks.
    checking: Mutex<()>,
    pub(super) numbers: Mutex<Option<AskedNumbers>>,
    pub(super) templates: Mutex<Option<AskedTemplates>>,
    /// The turns to try events.
    pub(super) trials: Semaphore,
    supervised: Locked<(Option<Instant>, Supervised)>,
    checker: NewChecker,
    /// Who holds it checks a release: that takes a sandbox of its own.
    benched: Mutex<()>,
}

/// Makes a place where a release is checked.
pub type NewChecker = Box<dyn Fn() -> Result<Checker, String> + Send + Sync>;

impl Setup {
    /// A host with these settings, a client for the Cloud API, and rules.
    pub fn new(
        settings: WhatsappConfig,
        client: Client,
        live: Arc<Live>,
        operate: Operate,
        checker: NewChecker,
    ) -> Setup {
        let (last, checking, numbers, templates, supervised) = Default::default();
        let (trials, benched) = (Semaphore::new(AT_ONCE), Mutex::default());
        Setup {
            settings,
            client,
            live,
            operate,
            last,
            checking,
            numbers,
            templates,
            trials,
            supervised,
            checker,
            benched,
        }
    }

    /// Stores a release of files that were uploaded, with the result of its checks and cases, one at a time.
    ///
    /// # Errors
    /// If a file was not uploaded, or the files are not those of rules and plugins.
    pub async fn create_release(
        &self,
        by: &Operator,
        files: &[(String, Vec<u8>)],
        note: Option<&str>,
    ) -> Result<CreatedRelease, ReleaseError> {
        let _turn = self.benched.lock().await;
        let Checker { cache, sandbox } = self.new_checker()?;
        let folder = releases::write_uploaded(&self.operate.store, &cache, files).await?;
        let of = |within: &str| folder.path().join(within);
        let folders = Folders { rules: of("rules"), plugins: Some(of("plugins")), sandbox: Some(sandbox) };
        self.operate.create_release(by, folders, note).await
    }

    fn new_checker(&self) -> Result<Checker, ReleaseError> {
        (self.checker)().map_err(|why| ReleaseError::Io {
            what: "cannot run plugins".to_owned(),
            error: std::io::Error::other(why),
        })
    }

    /// Checks a release, runs its cases, and activates it: [`Operate::activate_release`], one at a time.
    ///
    /// # Errors
    /// As there.
    pub async fn activate_release(
        &self,
        by: &Operator,
        digits: &str,
        how: HowToActivate<'_>,
    ) -> Result<Activated, ActivationError> {
        let _turn = self.benched.lock().await;
        let checker = self.new_checker()?;
        let activated = self.operate.activate_release(by, digits, how, &checker).await;
        self.has_changed().await;
        activated
    }

    /// Checks a release, runs its cases, and starts a shadow: [`Operate::start_shadow`], one at a time.
    ///
    /// # Errors
    /// As there.
    pub async fn start_shadow(
        &self,
        by: &Operator,
        digits: &str,
        new: NewShadow<'_>,
    ) -> Result<ShadowReport, NoShadow> {
        let _turn = self.benched.lock().await;
        let checker = self.new_checker().map_err(ActivationError::from)?;
        let started = self.operate.start_shadow(by, digits, new, &checker).await;
        self.has_changed().await;
        started
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
        let checking = tokio::spawn(self.clone().checked());
        timeout(PATIENCE, checking).await.ok()?.ok()
    }

    /// The result of a check within the last five minutes, at once if there is one: where it is older than a minute, the next
    /// check begins. Otherwise as [`Setup::report`].
    pub async fn last_report(self: &Arc<Self>) -> Option<Arc<Report>> {
        if let Some(report) = self.known(SHOWN) {
            if self.known(FRESH).is_none() {
                tokio::spawn(self.clone().checked());
            }
            return Some(report);
        }
        self.report().await
    }

    /// The last report if it is younger than that.
    fn known(&self, than: Duration) -> Option<Arc<Report>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < than).map(|(_, report)| report.clone())
    }

    async fn checked(self: Arc<Self>) -> Arc<Report> {
        let _turn = self.checking.lock().await;
        if let Some(report) = self.known(FRESH) {
            return report;
        }
        let report = Arc::new(self.clone().check().await);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), report.clone()));
        report
    }

    /// What the check found and what Meta said of the numbers, for the metrics: at once, as of a few minutes ago. Where it is
    /// older, it is looked at again meanwhile.
    pub fn supervised(self: &Arc<Self>) -> Supervised {
        let mut known = self.supervised.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0.is_none_or(|asked| asked.elapsed() >= SUPERVISED) {
            known.0 = Some(Instant::now());
            tokio::spawn(self.clone().supervise());
        }
        known.1.clone()
    }

    async fn supervise(self: Arc<Self>) {
        let report = self.clone().checked().await;
        let numbers = self.numbers().await.ok();
        let of = |severity| {
            report
                .sections
                .iter()
                .flat_map(|section| &section.findings)
                .filter(move |finding| finding.severity == severity)
        };
        let quality = |number: &super::numbers::Number| {
            let said = number.at_meta.as_ref()?.quality.as_deref()?.to_ascii_lowercase();
            let word = QUALITIES.into_iter().find(|quality| *quality == said).unwrap_or("unknown");
            Some((number.id.clone(), word))
        };
        let supervised = Supervised {
            findings: [
                ("critical", Severity::Critical),
                ("warning", Severity::Warning),
                ("info", Severity::Info),
            ]
            .map(|(word, severity)| (word, of(severity).count()))
            .to_vec(),
            qualities: numbers.iter().flat_map(|numbers| &numbers.data).filter_map(quality).collect(),
            daily_users: numbers.as_ref().map(|numbers| numbers.daily_users),
        };
        self.supervised.lock().unwrap_or_else(PoisonError::into_inner).1 = supervised;
    }

    /// Forgets the last check: something was changed that it says.
    pub(super) async fn has_changed(&self) {
        // A check that runs has not seen it.
        let _turn = self.checking.lock().await;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn check(self: Arc<Self>) -> Report {
        let runtime = Handle::current();
        // On a thread of its own: with many groups and templates it computes for longer than others may be kept waiting.
        let checking = spawn_blocking(move || {
            let in_force = self.live.in_force();
            let subject = Subject {
                settings: Ok(&self.settings),
                catalog: Ok(in_force.main()),
                share: in_force.share().map(|(_, catalog)| &**catalog),
                store: Ok(&self.operate.store),
                data_dir: None,
            };
            runtime.block_on(check::check(&subject, Timestamp::now()))
        });
        match checking.await {
            Ok(report) => report,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The program ends.
            Err(_) => pending().await,
        }
    }
}
