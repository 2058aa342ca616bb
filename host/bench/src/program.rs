//! The program that is measured, a PostgreSQL for it, and its children.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use hookswitch::{
    config::stranger,
    postgres::{self, Server},
};
use hookswitch_simulator::Settings;
use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{task::spawn_blocking, time::sleep};

use crate::{database::Database, load};

/// The program to measure: the one that is named, else the one built beside this.
///
/// # Errors
/// Where there is none.
pub fn find(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let program = match named {
        Some(program) => program,
        None => std::env::current_exe().context("find this program")?.with_file_name("hookswitch"),
    };
    anyhow::ensure!(
        program.is_file(),
        "find {}: build it first (cargo build --release), or name another with --program",
        program.display()
    );
    Ok(program)
}

/// A child process, killed when dropped.
pub struct Running {
    child: Child,
    /// Where it listens.
    pub url: String,
}

impl Running {
    /// Starts a program and waits for the address on its first line.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(command: &mut Command) -> anyhow::Result<Running> {
        let mut child = command.stdout(Stdio::piped()).spawn().context("start a part of the benchmark")?;
        let stdout = child.stdout.take().context("read what the part says")?;
        let mut first = String::new();
        BufReader::new(stdout).read_line(&mut first).context("read what the part says")?;
        let Some(url) = first.trim().strip_prefix("listening on ") else {
            let _ = child.kill();
            anyhow::bail!("start a part of the benchmark: it said {first:?}");
        };
        Ok(Running { url: url.to_owned(), child })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A PostgreSQL with our tables, and what is needed to run the program on it.
pub struct Stage {
    /// The program to measure.
    pub program: PathBuf,
    /// The database's URL.
    pub url: String,
    /// The database.
    pub database: Database,
    /// A key for posting and reading.
    pub key: String,
    /// Posts.
    pub client: Client,
    /// Files of this run.
    pub folder: TempDir,
    server: Server,
}

impl Stage {
    /// Starts PostgreSQL and makes the tables.
    ///
    /// # Errors
    /// Where one of that does not work.
    pub async fn open(program: &Path) -> anyhow::Result<Stage> {
        let folder =
            tempfile::Builder::new().prefix("hookswitch-bench-").tempdir().context("make a folder")?;
        // A plugins folder that is named must be there.
        std::fs::create_dir(folder.path().join("plugins")).context("make the plugins folder")?;
        let data_dir = folder.path().join("data");
        let server =
            spawn_blocking(move || postgres::start(&data_dir, &mut |step| eprintln!("{step}"))).await??;
        let url = server.url(postgres::DATABASE);
        let run = |arguments: &[&str]| {
            let ran = stranger(program)
                .args(arguments)
                .env("DATABASE_URL", &url)
                .stderr(Stdio::null())
                .output()
                .with_context(|| format!("run hookswitch {}", arguments.join(" ")))?;
            anyhow::ensure!(ran.status.success(), "run hookswitch {}: {}", arguments.join(" "), ran.status);
            Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
        };
        run(&["migrate"])?;
        let key = run(&["keys", "create", "bench", "--scope", "events,read"])?;
        let database = Database::connect(&url).await?;
        let client = load::client()?;
        Ok(Stage { program: program.to_owned(), url, database, key, client, folder, server })
    }

    /// Its PostgreSQL's process.
    pub fn postgres(&self) -> u32 {
        self.server.pid()
    }

    /// A simulator that reports to a host at this address.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn simulator(&self, host: SocketAddr) -> anyhow::Result<Running> {
        let mut command = stranger(&self.program);
        command.args([
            "simulate",
            "--listen",
            "127.0.0.1:0",
            "--unlimited",
            "--window",
            "off",
            "--unknown-templates",
        ]);
        command.args(["--webhook-url", &format!("http://{host}/webhooks/whatsapp")]);
        Running::start(&mut command)
    }

    /// The service, with the rules and plugins of this run's folder, but for what `settings` says.
    ///
    /// # Errors
    /// Where it is not ready within 30 s.
    pub async fn serve(
        &self,
        listen: SocketAddr,
        api: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Running> {
        let mut command = stranger(&self.program);
        command
            .arg("serve")
            .env("DATABASE_URL", &self.url)
            .env("HOOKSWITCH_LISTEN", listen.to_string())
            .env("HOOKSWITCH_ADMIN_LISTEN", "127.0.0.1:0")
            .env("HOOKSWITCH_RULES", self.folder.path().join("rules"))
            .env("HOOKSWITCH_PLUGINS", self.folder.path().join("plugins"))
            .env("HOOKSWITCH_PLUGIN_CACHE", self.folder.path().join("cache"))
            .env("WHATSAPP_API_URL", api)
            .envs(Settings::default().environment())
            .env("WHATSAPP_MESSAGES_PER_SECOND", "1000000")
            .env("HOOKSWITCH_LOG", "warn")
            .envs(settings.iter().copied());
        let host = Running::start(&mut command)?;
        let give_up = Instant::now() + Duration::from_secs(30);
        while !self.client.get(format!("{}/readyz", host.url)).send().await?.status().is_success() {
            anyhow::ensure!(Instant::now() < give_up, "see the host ready within 30 s");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(host)
    }

    /// Stops PostgreSQL.
    ///
    /// # Errors
    /// Where the thread that stops it is gone.
    pub async fn close(self) -> anyhow::Result<()> {
        drop(self.database);
        spawn_blocking(move || self.server.stop()).await?;
        Ok(())
    }
}

/// How many messages the simulator has taken.
///
/// # Errors
/// Where it does not answer.
pub async fn received(client: &Client, simulator: &str) -> anyhow::Result<usize> {
    let stats: Value = client.get(format!("{simulator}/_simulator/stats")).send().await?.json().await?;
    let accepted = stats["accepted"].as_u64().context("read the simulator's count of accepted messages")?;
    Ok(accepted as usize)
}

/// An address that nobody listens on.
///
/// # Errors
/// Where there is none left.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
