//! Where the demo's data is: a place of its own, which nothing else uses.

use std::path::PathBuf;

use anyhow::bail;
use clap::{ArgMatches, Args, Command, FromArgMatches, error::Error, parser::ValueSource};

use crate::{
    app::Database,
    config::{DatabaseConfig, Secret},
    lanes,
    store::DemoClaim,
};

/// The demo's database. The environment is not asked: `DATABASE_URL` and `HOOKSWITCH_DATA_DIR` are those of a real
/// host.
#[derive(Clone, Debug)]
pub struct Place {
    /// A server that somebody runs; `None` for a private one.
    database_url: Option<Secret>,
    /// The private server's folder, and that of compiled plugins.
    pub data_dir: PathBuf,
}

#[derive(Args)]
struct Flags {
    /// An empty PostgreSQL database to use instead of a private one; DATABASE_URL is ignored
    #[arg(long, value_name = "URL")]
    database_url: Option<Secret>,

    /// Folder for the demo's private PostgreSQL and compiled plugins
    #[arg(long, value_name = "FOLDER", default_value = Place::DATA_DIR)]
    data_dir: PathBuf,
}

impl Args for Place {
    fn augment_args(command: Command) -> Command {
        Flags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args_for_update(command)
    }
}

impl FromArgMatches for Place {
    /// Takes what the command line says, and nothing that came from elsewhere, whoever else knows these flags.
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let flags = Flags::from_arg_matches(matches)?;
        let given = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        Ok(Place {
            database_url: flags.database_url.filter(|_| given("database_url")),
            data_dir: if given("data_dir") { flags.data_dir } else { Place::DATA_DIR.into() },
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Place::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Place {
    const DATA_DIR: &str = ".hookswitch/demo";

    /// The settings of the database.
    pub fn database(&self) -> DatabaseConfig {
        DatabaseConfig::only(self.database_url.clone(), self.data_dir.clone())
    }

    /// Opens the database and makes sure that it is the demo's: empty, or made by an earlier demo, and in use by no
    /// host. Nothing is written to any other database. A private server runs until what is returned is closed.
    ///
    /// # Errors
    /// If the database cannot be reached, is not the demo's, or a host uses it.
    pub async fn claim(&self, progress: &mut (dyn FnMut(&str) + Send)) -> anyhow::Result<Database> {
        let database = Database::open_as_is(&self.database(), progress).await?;
        match self.refusal(&database).await {
            Ok(None) => Ok(database),
            Ok(Some(refusal)) => {
                database.close().await;
                bail!(refusal)
            }
            Err(error) => {
                database.close().await;
                Err(error)
            }
        }
    }

    async fn refusal(&self, database: &Database) -> anyhow::Result<Option<String>> {
        let place = match &self.database_url {
            Some(_) => "the database of --database-url".to_owned(),
            None => format!("the database in {}", self.data_dir.display()),
        };
        let hosts = match database.store.claim_for_demo().await? {
            DemoClaim::Foreign => {
                return Ok(Some(format!(
                    "{place} is not empty and was not made by the demo, so the demo does not touch it\n  \
                     use an empty database, or none: the demo then runs a private one in {}",
                    Place::DATA_DIR
                )));
            }
            DemoClaim::Empty => Vec::new(),
            DemoClaim::Own => lanes::living(&database.store).await?,
        };
        Ok((!hosts.is_empty()).then(|| {
            format!(
                "{place} is in use by {}\n  stop it first; a host that was killed is forgotten after 15 seconds",
                hosts.join(", ")
            )
        }))
    }
}
