//! Why a host or a command does not start.

use std::net::SocketAddr;

use hookswitch_core::catalog::Findings;

use crate::{postgres::PostgresError, releases::ReleaseError, store::StoreError, whatsapp::ClientError};

/// Why the service does not start. Each text stands alone.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The private PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rules.
    #[error("invalid rules:\n{0}")]
    Catalog(Findings),
    /// The active release.
    #[error("cannot follow the active release: {0}")]
    Release(ReleaseError),
    /// Neither a folder nor a release.
    #[error(
        "no rules: there is no folder rules, and no release is active; name a folder (--rules, HOOKSWITCH_RULES), or \
         create and activate a release: hookswitch release create"
    )]
    NoRules,
    /// Running plugins.
    #[error("{0}")]
    Sandbox(String),
    /// Watching the rules.
    #[error("cannot watch the rules: {0}")]
    Watch(std::io::Error),
    /// The Cloud API's settings.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The client of the collector of traces.
    #[error("cannot set up TLS for --otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT): {0}")]
    Traces(reqwest::Error),
    /// The address.
    #[error("cannot listen on {address} ({setting}): {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The flag with its variable.
        setting: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The address of a socket.
    #[error("cannot read the address of a socket: {0}")]
    Address(std::io::Error),
    /// The database's address.
    #[error("invalid --database-url (DATABASE_URL): {0}; expected postgresql://USER:PASSWORD@HOST/DATABASE")]
    DatabaseUrl(tokio_postgres::Error),
    /// A thread of start-up work is gone.
    #[error("a start-up task ended early: {0}")]
    Thread(#[from] tokio::task::JoinError),
}
