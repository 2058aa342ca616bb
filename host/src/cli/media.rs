//! `hookswitch media`: files that people have sent.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use futures_util::StreamExt;
use tokio::{fs::File, io::AsyncWriteExt};

use super::failure::Failure;
use crate::{
    app::Database,
    config::{CloudConfig, DatabaseConfig},
    operate::{Media, MediaError, Operate},
    whatsapp::Client,
};

/// The arguments of `hookswitch media`.
#[derive(Args, Debug)]
pub struct MediaArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Fetch a file that somebody has sent
    ///
    /// `hookswitch explain` shows its id: data.media.id of an event message.received. Meta keeps it for 30 days at most.
    Get {
        /// Meta's id of the file
        id: String,
        /// File to write, which must not exist
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        cloud: CloudConfig,
    },
}

/// Runs the command.
///
/// # Errors
/// If no stored event names the file, Meta no longer has it, or it cannot be written.
pub async fn run(args: MediaArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let Command::Get { id, output, cloud } = args.command;
    let client = Client::with_token(&cloud.whatsapp_api_url, &cloud.whatsapp_access_token)?;
    let database = Database::open(database, &mut |_| {}).await?;
    let media = Operate::new(database.store.clone()).received_media(&client, &id).await;
    let done = match media {
        Ok(media) => write(media, &output).await,
        Err(error) => Err(refused(error)),
    };
    database.close().await;
    let (mime_type, size) = done?;
    println!("Wrote {} ({mime_type}, {size} bytes).", output.display());
    Ok(ExitCode::SUCCESS)
}

fn refused(error: MediaError) -> anyhow::Error {
    match error {
        MediaError::Unknown(_) => Failure::new(error.to_string())
            .help("hookswitch explain EVENT shows the id of a file: data.media.id")
            .into(),
        error => error.into(),
    }
}

/// Writes the file; returns its type and size.
async fn write(media: Media, output: &Path) -> anyhow::Result<(String, u64)> {
    let mime_type = media.mime_type.clone();
    let failed = || format!("cannot write {}", output.display());
    let mut file = File::create_new(output).await.with_context(failed)?;
    let mut size = 0;
    let mut content = std::pin::pin!(media.content());
    while let Some(chunk) = content.next().await {
        let written = match chunk {
            Ok(chunk) => {
                size += chunk.len() as u64;
                file.write_all(&chunk).await.with_context(failed)
            }
            Err(error) => Err(error).context("cannot fetch the file"),
        };
        if let Err(error) = written {
            // Half a file would look like a whole one.
            let _ = tokio::fs::remove_file(output).await;
            return Err(error);
        }
    }
    file.flush().await.with_context(failed)?;
    Ok((mime_type, size))
}
