//! Files that people have sent: found by the event that names them, and fetched from Meta.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::Response;

use super::{Operate, Setup};
use crate::{
    store::StoreError,
    whatsapp::{Client, LARGEST, SendError, is_about_media},
};

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// No event names it.
    #[error("no stored event names a file with the id {0:?}")]
    Unknown(String),
    /// Meta has deleted it.
    #[error("Meta no longer has the file {0}: it keeps files for 30 days at most")]
    Gone(String),
    /// It is larger than any file at Meta.
    #[error("the file is larger than {} MiB", LARGEST / 1024 / 1024)]
    TooLarge,
    /// Meta did not answer, or refused.
    #[error("cannot fetch the file: {0}")]
    Meta(SendError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that somebody has sent. Its content is still at Meta.
pub struct Media {
    /// Its MIME type.
    pub mime_type: String,
    /// Its name: that of a document, otherwise its id.
    pub filename: String,
    /// Its size in bytes, if Meta says so.
    pub size: Option<u64>,
    response: Response,
}

impl Media {
    /// Its content as it comes in, which fails when it grows larger than any file at Meta.
    pub fn content(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let mut size = 0;
        self.response.bytes_stream().map(move |chunk| {
            // Without the address, which holds a key.
            let chunk = chunk.map_err(|error| io::Error::other(error.without_url()))?;
            size += chunk.len() as u64;
            if size > LARGEST { Err(io::Error::other(MediaError::TooLarge)) } else { Ok(chunk) }
        })
    }
}

impl Operate {
    /// A file that somebody has sent, by Meta's id, if a stored event names it.
    ///
    /// # Errors
    /// See [`MediaError`].
    pub async fn received_media(&self, client: &Client, id: &str) -> Result<Media, MediaError> {
        let received = self.store.received_media(id).await?;
        let received = received.ok_or_else(|| MediaError::Unknown(id.to_owned()))?;
        let from_meta = |error: SendError| match error {
            error if is_about_media(&error) || is_missing(&error) => MediaError::Gone(id.to_owned()),
            error => MediaError::Meta(error),
        };
        let address = client.media_address(id).await.map_err(from_meta)?;
        if address.size().is_some_and(|size| size > LARGEST) {
            return Err(MediaError::TooLarge);
        }
        let response = client.download(&address).await.map_err(from_meta)?;
        let size = response.content_length();
        if size.is_some_and(|size| size > LARGEST) {
            return Err(MediaError::TooLarge);
        }
        let mime_type = address.mime_type.or(received.mime_type);
        Ok(Media {
            mime_type: mime_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
            filename: received.filename.unwrap_or_else(|| id.to_owned()),
            size,
            response,
        })
    }
}

impl Setup {
    /// A file that somebody has sent; see [`Operate::received_media`].
    ///
    /// # Errors
    /// See [`MediaError`].
    pub async fn received_media(&self, id: &str) -> Result<Media, MediaError> {
        self.operate.received_media(&self.client, id).await
    }
}

fn is_missing(error: &SendError) -> bool {
    matches!(error, SendError::Garbled { http: 404, .. } | SendError::Refused { http: 404, .. })
}
