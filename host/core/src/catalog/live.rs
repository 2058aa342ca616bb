//! The live catalog: which rules decide now.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    Catalog, Findings, Folders, InForce,
    load::{compile, compile_to_try},
    tree,
};
use crate::domain::LaneShare;

/// A rules folder and its live catalog, and the one of a release that decides for a share of the lanes.
pub struct Live {
    folders: Folders,
    in_force: ArcSwap<InForce>,
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
            in_force: ArcSwap::from_pointee(InForce::new(Arc::new(catalog), None)),
            since: AtomicI64::new(Timestamp::now().as_millisecond()),
            has_errors: AtomicBool::new(false),
            swapped: watch::Sender::new(()),
        })
    }

    /// Loads another release from its folder, beside those in force. Blocks.
    ///
    /// # Errors
    /// Returns all problems of the folder, or that its files are not those of the release.
    pub fn load(&self, folders: &Folders, release: &Wanted) -> Result<Arc<Catalog>, NotLoaded> {
        let in_force = self.in_force();
        let is_left_out = |id: &str| {
            let mut plugins = in_force.all().filter_map(|catalog| catalog.plugins.get(id));
            plugins.any(|plugin| plugin.is_left_out())
        };
        let loaded = release.compile(folders, &is_left_out);
        loaded.map(Arc::new).inspect_err(|_| self.note_errors())
    }

    /// Puts these catalogs in the place of those in force, in one swap.
    pub fn put_in_force(&self, main: Arc<Catalog>, share: Option<(LaneShare, Arc<Catalog>)>) {
        let before = self.in_force();
        if !Arc::ptr_eq(before.main(), &main) {
            self.since.store(Timestamp::now().as_millisecond(), Ordering::Relaxed);
            // One that decided for a share was told of then.
            if !before.all().any(|catalog| Arc::ptr_eq(catalog, &main)) {
                tell(&main);
            }
            announce(&main);
        }
        match &share {
            Some((share, catalog)) => {
                if !before.all().any(|known| Arc::ptr_eq(known, catalog)) {
                    tell(catalog);
                }
                tracing::info!(
                    release = catalog.release,
                    beside = main.release,
                    "a release decides for {share}"
                );
            }
            None => {
                if let Some((_, catalog)) = before.share().filter(|(_, catalog)| !Arc::ptr_eq(catalog, &main))
                {
                    tracing::info!(release = catalog.release, "this release decides for no lane any more");
                }
            }
        }
        self.in_force.store(Arc::new(InForce::new(main, share)));
        self.has_errors.store(false, Ordering::Relaxed);
        self.swapped.send_replace(());
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

    /// What is to be live could not be loaded.
    pub(super) fn note_errors(&self) {
        self.has_errors.store(true, Ordering::Relaxed);
    }

    /// Nothing that failed to load is to be live any more.
    pub fn forget_errors(&self) {
        self.has_errors.store(false, Ordering::Relaxed);
    }

    /// The catalog that is live now, for what has no lane: not that of a release which decides for a share of the lanes only.
    /// Hold it for one piece of work only.
    pub fn current(&self) -> Arc<Catalog> {
        self.in_force.load().main().clone()
    }

    /// The catalogs that decide now. Hold them for one piece of work only.
    pub fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }
}

fn announce(catalog: &Catalog) {
    let counts = catalog.counts;
    tracing::info!(
        release = catalog.release,
        domains = counts.domains,
        routes = counts.routes,
        scripts = counts.scripts,
        templates = counts.templates,
        cases = counts.cases,
        plugins = counts.plugins,
        "new rules are live"
    );
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
