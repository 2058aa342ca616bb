//! The live catalog, and the watch that swaps it.
//!
//! A change is noticed by the file system's notifications or, if there are none (network folders, limits, a folder that
//! was replaced), by a look at all files each second. Either way the whole folder is read again once it is quiet, and
//! swapped in only if it compiles and its cases pass. The watch has its own thread: cases are computation, and would
//! block the async threads.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Catalog, Findings, Folders, compile, compile_to_try, tree};
use crate::decide::plugin::Sandbox;

/// Interval between two looks at all files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the folder must be quiet before it is read: an editor writes in several steps.
const QUIET: Duration = Duration::from_millis(200);
/// Maximum time to wait for quiet.
const PATIENCE: Duration = Duration::from_millis(600);

/// A rules folder and its live catalog.
pub struct Live {
    folders: Folders,
    current: ArcSwap<Catalog>,
    /// When the current catalog went live, in milliseconds of Unix time.
    since: AtomicI64,
    has_errors: AtomicBool,
    swapped: watch::Sender<()>,
}

/// A release to load from a folder that should hold its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its id.
    pub id: String,
    /// Whether it was activated although cases fail.
    pub may_fail_cases: bool,
}

/// Why a release was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum NotLoaded {
    /// The files in the folder are not those of the release.
    #[error("the files in {0} are not those of the release")]
    Changed(PathBuf),
    /// What is wrong with the release.
    #[error("{0}")]
    Findings(Findings),
}

impl Wanted {
    fn compile(
        &self,
        folders: &Folders,
        may_be_left_out: &dyn Fn(&str) -> bool,
    ) -> Result<Catalog, NotLoaded> {
        let mut findings = Vec::new();
        let tree = tree::read(folders, &mut findings);
        if tree.id != self.id {
            return Err(NotLoaded::Changed(folders.rules.clone()));
        }
        let loaded = match self.may_fail_cases {
            true => compile_to_try(folders, &tree, findings),
            false => compile(folders, &tree, findings, may_be_left_out),
        };
        loaded.map_err(NotLoaded::Findings)
    }
}

/// A running watch. Dropping it ends the watch, after a reload that may be under way.
pub struct Watching {
    wake: Sender<Wake>,
    ended: CancellationToken,
}

impl Watching {
    /// Completes when the watch has ended: after it was dropped, or by a panic, when changes are no longer noticed.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.ended.clone().cancelled_owned()
    }
}

enum Wake {
    Changed,
    Stop,
}

impl Live {
    /// Loads a folder. Blocks.
    ///
    /// # Errors
    /// Returns all problems of the folder.
    pub fn open(folders: Folders) -> Result<Arc<Live>, Findings> {
        if let Some(sandbox) = &folders.sandbox {
            sandbox.serve();
        }
        let mut findings = Vec::new();
        let tree = tree::read(&folders, &mut findings);
        // A host starts without them: the others' messages do not wait for somebody to mend a plugin.
        let catalog = compile(&folders, &tree, findings, &|_| true)?;
        Ok(Live::of(folders, catalog))
    }

    /// Loads a release from its folder, which has this id. Blocks.
    ///
    /// # Errors
    /// Returns all problems of the folder, or that its files are not those of the release.
    pub fn open_release(folders: Folders, release: &Wanted) -> Result<Arc<Live>, NotLoaded> {
        if let Some(sandbox) = &folders.sandbox {
            sandbox.serve();
        }
        let catalog = release.compile(&folders, &|_| true)?;
        Ok(Live::of(folders, catalog))
    }

    fn of(folders: Folders, catalog: Catalog) -> Arc<Live> {
        tell(&catalog);
        Arc::new(Live {
            folders,
            current: ArcSwap::from_pointee(catalog),
            since: AtomicI64::new(Timestamp::now().as_millisecond()),
            has_errors: AtomicBool::new(false),
            swapped: watch::Sender::new(()),
        })
    }

    /// Loads another release from its folder and swaps it in. Blocks.
    ///
    /// # Errors
    /// Returns all problems of the folder, or that its files are not those of the release; the current catalog stays.
    pub fn swap(&self, folders: &Folders, release: &Wanted) -> Result<(), NotLoaded> {
        let started = Instant::now();
        let live = self.current();
        let is_left_out = |id: &str| live.plugins.get(id).is_some_and(|plugin| plugin.is_left_out());
        match release.compile(folders, &is_left_out) {
            Ok(catalog) => {
                self.publish(catalog, started);
                Ok(())
            }
            Err(error) => {
                self.has_errors.store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Puts a catalog in the place of the current one.
    fn publish(&self, catalog: Catalog, started: Instant) {
        let (release, counts) = (catalog.release.clone(), catalog.counts);
        tell(&catalog);
        self.current.store(Arc::new(catalog));
        self.since.store(Timestamp::now().as_millisecond(), Ordering::Relaxed);
        self.has_errors.store(false, Ordering::Relaxed);
        self.swapped.send_replace(());
        tracing::info!(
            release,
            domains = counts.domains,
            routes = counts.routes,
            scripts = counts.scripts,
            templates = counts.templates,
            cases = counts.cases,
            plugins = counts.plugins,
            took_ms = started.elapsed().as_millis() as u64,
            "new rules are live"
        );
    }

    /// Changes whenever another catalog goes live.
    pub fn swapped(&self) -> watch::Receiver<()> {
        self.swapped.subscribe()
    }

    /// The folders that it was opened with.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// When the current catalog went live.
    pub fn since(&self) -> Timestamp {
        Timestamp::from_millisecond(self.since.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Whether the files on disk have errors, so that an older catalog stays live.
    pub fn has_errors(&self) -> bool {
        self.has_errors.load(Ordering::Relaxed)
    }

    /// The catalog that is live now. Hold it for one piece of work only.
    pub fn current(&self) -> Arc<Catalog> {
        self.current.load_full()
    }

    /// Watches the folder until the returned watch is dropped: a change is live within two seconds, or its findings are
    /// logged and the catalog stays.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn watch(self: &Arc<Self>) -> std::io::Result<Watching> {
        let (wake, woken) = mpsc::channel();
        let (live, ended) = (self.clone(), CancellationToken::new());
        let ends = ended.clone().drop_guard();
        let notices = wake.clone();
        if let Some(sandbox) = &self.folders.sandbox {
            let compiled = Mutex::new(wake.clone());
            sandbox.when_compiled(Arc::new(move || {
                let wake = compiled.lock().unwrap_or_else(PoisonError::into_inner);
                // Fails only where the thread has ended.
                let _ = wake.send(Wake::Changed);
            }));
        }
        thread::Builder::new().name("rules".to_owned()).spawn(move || {
            // Dropped by a panic, too.
            let _ends = ends;
            Watch { live: &live, notices, watcher: None, seen: Looks::new(), rejected: None }.run(&woken);
        })?;
        Ok(Watching { wake, ended })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Fails only where the thread has ended.
        let _ = self.wake.send(Wake::Stop);
    }
}

/// Path, time of change and size of each file.
type Looks = Vec<(PathBuf, Option<SystemTime>, u64)>;

struct Watch<'a> {
    live: &'a Live,
    notices: Sender<Wake>,
    watcher: Option<RecommendedWatcher>,
    seen: Looks,
    /// Findings logged last, so that they are logged once.
    rejected: Option<String>,
}

impl Watch<'_> {
    fn run(&mut self, woken: &Receiver<Wake>) {
        // What is on disk now may be newer than what was loaded.
        self.take_in();
        loop {
            let changed = match woken.recv_timeout(LOOK_EVERY) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Wake::Changed) => true,
                Err(RecvTimeoutError::Timeout) => looks_of(&self.live.folders) != self.seen,
            };
            if changed {
                if !settle(woken) {
                    return;
                }
                self.take_in();
            }
        }
    }

    fn take_in(&mut self) {
        // Looked at before it is read: what changes meanwhile shows at the next look.
        self.seen = looks_of(&self.live.folders);
        // The folder may be another one of the same name.
        self.watcher = self.listen();
        self.reload();
    }

    fn listen(&self) -> Option<RecommendedWatcher> {
        let notices = self.notices.clone();
        let notice = move |event: notify::Result<notify::Event>| {
            // Reading is not a change; our own reading would wake us forever.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = notices.send(Wake::Changed);
            }
        };
        let watch = |folder: &Path| {
            let mut watcher = notify::recommended_watcher(notice)?;
            watcher.watch(folder, RecursiveMode::Recursive)?;
            Ok::<_, notify::Error>(watcher)
        };
        let folder = fs::canonicalize(&self.live.folders.rules).ok()?;
        watch(&folder)
            .inspect_err(
                |error| tracing::debug!(%error, "cannot watch the rules folder; looking at it each second"),
            )
            .ok()
    }

    fn reload(&mut self) {
        let started = Instant::now();
        let mut findings = Vec::new();
        let tree = tree::read(&self.live.folders, &mut findings);
        let release = tree.release.clone();
        // A plugin that could not be called yet can be now.
        let compiled = self.live.folders.sandbox.as_ref().is_some_and(Sandbox::has_compiled);
        if findings.is_empty() && !compiled && release == self.live.current.load().release {
            self.live.has_errors.store(false, Ordering::Relaxed);
            if self.rejected.take().is_some() {
                tracing::info!(release, "the rules match the live ones again");
            }
            return;
        }
        let live = self.live.current();
        // One that works stays as it is; one that was left out keeps no others from their changes.
        let is_left_out = |id: &str| live.plugins.get(id).is_some_and(|plugin| plugin.is_left_out());
        match compile(&self.live.folders, &tree, findings, &is_left_out) {
            Ok(catalog) => {
                self.live.publish(catalog, started);
                self.rejected = None;
            }
            Err(findings) => {
                self.live.has_errors.store(true, Ordering::Relaxed);
                let words = findings.to_string();
                if self.rejected.as_ref() != Some(&words) {
                    tracing::error!(
                        errors = findings.errors(),
                        "the changed rules have errors; the old rules stay live\n{words}"
                    );
                    self.rejected = Some(words);
                }
            }
        }
    }
}

/// Logs the warnings of a catalog.
fn tell(catalog: &Catalog) {
    for failed in &catalog.failed_cases {
        tracing::warn!(file = failed.file, "a case of this release fails: {}", failed.message);
    }
    for warning in catalog.all_warnings() {
        let help = warning.notes.iter().find(|(label, _)| *label == "help").map(|(_, help)| help.as_str());
        tracing::warn!(file = warning.file, help, "{}", warning.message);
    }
}

/// Waits until the folder is quiet. Returns false if the watch must stop.
fn settle(woken: &Receiver<Wake>) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match woken.recv_timeout(QUIET) {
            Ok(Wake::Changed) => {}
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
    true
}

/// Looks at all files up to two folders deep, as deep as rules are.
fn looks_of(folders: &Folders) -> Looks {
    let mut looks = Vec::new();
    for folder in [Some(&folders.rules), folders.plugins.as_ref()].into_iter().flatten() {
        look(folder, 0, &mut looks);
    }
    looks.sort();
    looks
}

fn look(folder: &Path, depth: usize, looks: &mut Looks) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() && depth < 2 {
            look(&path, depth + 1, looks);
        }
        looks.push((path, metadata.modified().ok(), metadata.len()));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{fs, sync::mpsc};

    use futures_util::FutureExt;
    use tempfile::TempDir;

    use super::{
        super::tests::{rules, write},
        *,
    };

    const VISITS: &str = "- {on: visit, template: order_created, groups: [Sales Team]}\n";

    /// Waits for a release other than this one; returns how long it took.
    fn changed(live: &Live, release: &str) -> Duration {
        let started = Instant::now();
        while live.current().release == release {
            assert!(started.elapsed() < Duration::from_secs(60), "no change was noticed");
            std::thread::yield_now();
        }
        started.elapsed()
    }

    /// On an idle machine that takes two seconds at most.
    #[test]
    fn a_change_goes_live() {
        let folder = rules();
        let live = Live::open(folder.path().into()).unwrap();
        let watching = live.watch().unwrap();
        let first = live.current().release.clone();
        write(folder.path(), &[("visits/routes.yaml", VISITS)]);
        println!("live after {:?}", changed(&live, &first));
        assert_eq!(live.current().counts.routes, 3);
        drop(watching);
    }

    #[tokio::test]
    async fn who_watches_the_watch_hears_of_its_end() {
        let folder = rules();
        let watching = Live::open(folder.path().into()).unwrap().watch().unwrap();
        let mut ended = std::pin::pin!(watching.ended());
        assert!(ended.as_mut().now_or_never().is_none(), "it watches");
        drop(watching);
        tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
    }

    #[test]
    fn a_wrong_change_leaves_the_old_rules() {
        let folder = rules();
        let live = Live::open(folder.path().into()).unwrap();
        let first = live.current();
        let notices = mpsc::channel().0;
        let mut watch = Watch { live: &live, notices, watcher: None, seen: Looks::new(), rejected: None };
        for half_written in ["- {on: visit, template: order_", "- {on: visit, template: other, groups: [x]}"]
        {
            write(folder.path(), &[("visits/routes.yaml", half_written)]);
            watch.take_in();
            assert!(watch.rejected.as_ref().unwrap().contains("visits/routes.yaml:1:"));
            assert!(Arc::ptr_eq(&live.current(), &first));
        }
        fs::rename(folder.path().join("visits"), folder.path().join(".visits")).unwrap();
        watch.take_in();
        assert_eq!(watch.rejected, None);
        assert!(Arc::ptr_eq(&live.current(), &first));
        fs::rename(folder.path(), folder.path().with_extension("gone")).unwrap();
        watch.take_in();
        assert!(watch.rejected.as_ref().unwrap().contains("cannot read the folder"));
        assert!(Arc::ptr_eq(&live.current(), &first));
        fs::rename(folder.path().with_extension("gone"), folder.path()).unwrap();
        write(folder.path(), &[("visits/routes.yaml", VISITS)]);
        watch.take_in();
        assert_eq!((watch.rejected, live.current().counts.routes), (None, 3));
    }

    #[test]
    fn a_folder_may_be_replaced_or_vanish_for_a_moment() {
        let parent = TempDir::new().unwrap();
        let (one, two) = (rules(), rules());
        write(two.path(), &[("visits/routes.yaml", VISITS)]);
        let folder = parent.path().join("rules");
        fs::rename(one.path(), &folder).unwrap();
        let live = Live::open(folder.as_path().into()).unwrap();
        let _watching = live.watch().unwrap();
        let release = live.current().release.clone();
        fs::rename(&folder, parent.path().join("old")).unwrap();
        fs::rename(two.path(), &folder).unwrap();
        changed(&live, &release);
        assert_eq!(live.current().counts.routes, 3);

        let release = live.current().release.clone();
        fs::rename(&folder, parent.path().join("new")).unwrap();
        std::os::unix::fs::symlink(parent.path().join("old"), &folder).unwrap();
        changed(&live, &release);
        assert_eq!(live.current().counts.routes, 2);

        let release = live.current().release.clone();
        write(&parent.path().join("old"), &[("orders/config.yaml", "groups: [System Admins]\nother: 1\n")]);
        changed(&live, &release);
        assert!(live.current().config["orders"].contains_key("other"));
    }
}
