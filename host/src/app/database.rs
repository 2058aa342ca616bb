//! The database of a host or a command, with its private server if it has one.

use tokio::{sync::mpsc, task::spawn_blocking};

use super::AppError;
use crate::{
    config::DatabaseConfig,
    postgres::{self, Server},
    store::{Store, StoreError},
};

/// Connections of a command: enough for what it asks at once, and few beside those of the hosts.
const COMMAND: usize = 4;

/// The database, migrated, with its private server if it has one.
pub struct Database {
    /// The statements of this database.
    pub store: Store,
    server: Option<Server>,
}

impl Database {
    /// Opens the named database, or starts or adopts the private one; brings the tables up to date. Each step is
    /// told to `progress`.
    ///
    /// # Errors
    /// Where there is no PostgreSQL, or it cannot be reached or migrated.
    pub async fn open(
        settings: &DatabaseConfig,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Database, AppError> {
        Database::open_with(settings, COMMAND, progress).await
    }

    pub(super) async fn open_with(
        settings: &DatabaseConfig,
        connections: usize,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Database, AppError> {
        let database = Database::connect(settings, connections, progress).await?;
        if let Err(error) = database.store.is_pooled().await {
            database.close().await;
            return Err(error.into());
        }
        let applied = match database.migrate().await {
            Ok(applied) => applied,
            Err(error) => {
                database.close().await;
                return Err(error);
            }
        };
        if applied > 0 {
            progress(&format!("applied {applied} migration{}", if applied == 1 { "" } else { "s" }));
        }
        Ok(database)
    }

    /// As [`Database::open`], with the tables as they are, and whether or not PostgreSQL answers.
    ///
    /// # Errors
    /// Where there is no PostgreSQL, or a pooler cannot be worked with.
    pub async fn open_as_is(
        settings: &DatabaseConfig,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Database, AppError> {
        let database = Database::connect(settings, COMMAND, progress).await?;
        if let Err(error @ StoreError::Pooler(_)) = database.store.is_pooled().await {
            database.close().await;
            return Err(error.into());
        }
        Ok(database)
    }

    async fn connect(
        settings: &DatabaseConfig,
        connections: usize,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Database, AppError> {
        let (config, server) = match &settings.database_url {
            Some(url) => (url.expose().parse().map_err(AppError::DatabaseUrl)?, None),
            None => {
                let data_dir = settings.data_dir.clone();
                let (tell, mut told) = mpsc::unbounded_channel();
                let start = spawn_blocking(move || {
                    postgres::start(&data_dir, &mut |step| {
                        // Whoever asked may be gone.
                        let _ = tell.send(step.to_owned());
                    })
                });
                while let Some(step) = told.recv().await {
                    progress(&step);
                }
                let server = start.await??;
                (server.config(postgres::DATABASE), Some(server))
            }
        };
        let store = Store::with_limits(config, connections, settings.limits())?;
        Ok(Database { store, server })
    }

    /// Brings the tables up to date, and returns how many migrations that took.
    ///
    /// # Errors
    /// Where PostgreSQL cannot be reached, or the role may not change the tables.
    pub async fn migrate(&self) -> Result<usize, AppError> {
        Ok(self.store.migrate().await?)
    }

    /// Closes the connections, and stops the private server if this process started it.
    pub async fn close(self) {
        self.store.close();
        if let Some(server) = self.server
            && let Err(error) = spawn_blocking(move || server.stop()).await
        {
            tracing::warn!(%error, "failed to wait for PostgreSQL's end");
        }
    }
}
