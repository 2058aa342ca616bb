//! Releases: from folders into the database, and from the database into a folder of this machine, from which a host loads
//! them as it loads the folders of authors.

mod cache;
mod follow;
mod register;
mod registrar;
mod verdict;

use hookswitch_core::catalog::{Findings, NotLoaded, SHORT};

pub use self::{
    cache::{Cache, write_to, write_uploaded},
    follow::Follower,
    register::{Read, add},
    registrar::register,
    verdict::{Verdict, VerdictState},
};
use crate::store::StoreError;

/// The short name of a release.
pub fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

/// Why something with a release was not done.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// No release is active, so there is nothing to follow.
    #[error("no release is active")]
    NoneActive,
    /// Files that a release is to have are not stored; their paths.
    #[error("these files are not stored: {}", .0.join(", "))]
    Missing(Vec<String>),
    /// A path that no file of a release has.
    #[error("not the path of a file in rules/ or plugins/: {0}")]
    Path(String),
    /// The folders cannot be read completely, so they are no release.
    #[error("{0}")]
    Unreadable(Findings),
    /// A file of the release is not stored, or is not what its hash says.
    #[error("the file {path} of the release {release} is damaged in the database")]
    Damaged {
        /// The release.
        release: String,
        /// The path of the file.
        path: String,
    },
    /// The release cannot be loaded.
    #[error("{0}")]
    NotLoaded(NotLoaded),
    /// The operating system's reason.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        error: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReleaseError {
    /// Whether it may work later, unchanged.
    fn may_pass(&self) -> bool {
        match self {
            ReleaseError::Store(_) | ReleaseError::Io { .. } => true,
            ReleaseError::NotLoaded(NotLoaded::Changed(_)) => true,
            ReleaseError::NoneActive
            | ReleaseError::Missing(_)
            | ReleaseError::Path(_)
            | ReleaseError::Unreadable(_)
            | ReleaseError::Damaged { .. }
            | ReleaseError::NotLoaded(NotLoaded::Findings(_)) => false,
        }
    }
}
