//! The watch of a rules folder, which swaps the live catalog, or has it checked again.
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
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio_util::sync::CancellationToken;

use super::{Folders, Live, load::compile, tree};
use crate::decide::plugin::Sandbox;

/// Interval between two looks at all files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the folder must be quiet before it is read: an editor writes in several steps.
const QUIET: Duration = Duration::from_millis(200);
/// Maximum time to wait for quiet.
const PATIENCE: Duration = Duration::from_millis(600);

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
    /// Watches the folder until the returned watch is dropped: a change is live within two seconds, or its findings are
    /// logged and the catalog stays.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn watch(self: &Arc<Self>) -> std::io::Result<Watching> {
        let (live, ended) = (self.clone(), CancellationToken::new());
        let ends = ended.clone().drop_guard();
        let changes = Changes::of(self.folders());
        let wake = changes.notices.clone();
        if let Some(sandbox) = &self.folders().sandbox {
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
            Watch { live: &live, changes, rejected: None }.run();
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

/// Notices changes of authors' files, one after the other.
pub struct Changes {
    folders: Folders,
    notices: Sender<Wake>,
    woken: Receiver<Wake>,
    watcher: Option<RecommendedWatcher>,
    seen: Looks,
}

impl Changes {
    /// Changes of these folders. Nothing is noticed before [`Changes::note`].
    pub fn of(folders: &Folders) -> Changes {
        let (notices, woken) = mpsc::channel();
        Changes { folders: folders.clone(), notices, woken, watcher: None, seen: Looks::new() }
    }

    /// Takes the files as they are now for known: call it before they are read.
    pub fn note(&mut self) {
        // Looked at before it is read: what changes meanwhile shows at the next look.
        self.seen = looks_of(&self.folders);
        // The folder may be another one of the same name.
        self.watcher = self.listen();
    }

    /// Blocks until something may have changed and the folder is quiet. Returns false if the watch must stop.
    pub fn wait(&self) -> bool {
        loop {
            let changed = match self.woken.recv_timeout(LOOK_EVERY) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Ok(Wake::Changed) => true,
                Err(RecvTimeoutError::Timeout) => looks_of(&self.folders) != self.seen,
            };
            if changed {
                return settle(&self.woken);
            }
        }
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
        let folder = fs::canonicalize(&self.folders.rules).ok()?;
        watch(&folder)
            .inspect_err(
                |error| tracing::debug!(%error, "cannot watch the rules folder; looking at it each second"),
            )
            .ok()
    }
}

/// Names the content of all files that are read, and what cannot be read: it differs if a check would see other files.
pub fn content_of(folders: &Folders) -> String {
    let mut findings = Vec::new();
    let tree = tree::read(folders, &mut findings);
    let unread: String =
        findings.iter().map(|finding| format!("\n{}: {}", finding.file, finding.message)).collect();
    format!("{}{unread}", tree.id)
}

struct Watch<'a> {
    live: &'a Live,
    changes: Changes,
    /// Findings logged last, so that they are logged once.
    rejected: Option<String>,
}

impl Watch<'_> {
    fn run(&mut self) {
        // What is on disk now may be newer than what was loaded.
        self.take_in();
        while self.changes.wait() {
            self.take_in();
        }
    }

    fn take_in(&mut self) {
        self.changes.note();
        self.reload();
    }

    fn reload(&mut self) {
        let mut findings = Vec::new();
        let tree = tree::read(self.live.folders(), &mut findings);
        let release = tree.release.clone();
        // A plugin that could not be called yet can be now.
        let compiled = self.live.folders().sandbox.as_ref().is_some_and(Sandbox::has_compiled);
        if findings.is_empty() && !compiled && release == self.live.current().release {
            self.live.forget_errors();
            if self.rejected.take().is_some() {
                tracing::info!(release, "the rules match the live ones again");
            }
            return;
        }
        let live = self.live.current();
        // One that works stays as it is; one that was left out keeps no others from their changes.
        let is_left_out = |id: &str| live.plugins.get(id).is_some_and(|plugin| plugin.is_left_out());
        match compile(self.live.folders(), &tree, findings, &is_left_out) {
            Ok(catalog) => {
                self.live.put_in_force(Arc::new(catalog), None);
                self.rejected = None;
            }
            Err(findings) => {
                self.live.note_errors();
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

    use std::fs;

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
        let mut watch = Watch { live: &live, changes: Changes::of(live.folders()), rejected: None };
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
