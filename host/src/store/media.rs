//! Files at Meta: those that were uploaded, and those that somebody has sent.

use jiff::Timestamp;

use super::{Store, StoreError};

/// A file that was uploaded to Meta for one sending number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedMedia {
    /// Meta's id.
    pub media_id: String,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// When Meta forgets it.
    pub expires_at: Timestamp,
}

/// A file that somebody has sent, as the event says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedMedia {
    /// Its MIME type.
    pub mime_type: Option<String>,
    /// The name of a document.
    pub filename: Option<String>,
}

impl Store {
    /// The upload of the file with this content for a number, if Meta keeps it until then.
    pub async fn uploaded_media(
        &self,
        phone_number_id: &str,
        sha256: &str,
        until: Timestamp,
    ) -> Result<Option<UploadedMedia>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT media_id, uploaded_at, expires_at FROM uploaded_media
                 WHERE phone_number_id = $1 AND sha256 = $2 AND expires_at > $3",
            )
            .await?;
        let row = client.query_opt(&statement, &[&phone_number_id, &sha256, &until]).await?;
        row.map(|row| {
            Ok(UploadedMedia {
                media_id: row.try_get(0)?,
                uploaded_at: row.try_get(1)?,
                expires_at: row.try_get(2)?,
            })
        })
        .transpose()
    }

    /// Stores an upload in place of an earlier one, and drops those that Meta has forgotten.
    pub async fn store_uploaded_media(
        &self,
        phone_number_id: &str,
        sha256: &str,
        uploaded: &UploadedMedia,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "INSERT INTO uploaded_media (phone_number_id, sha256, media_id, uploaded_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (phone_number_id, sha256) DO UPDATE
                 SET media_id = excluded.media_id, uploaded_at = excluded.uploaded_at, expires_at = excluded.expires_at",
                &[
                    &phone_number_id,
                    &sha256,
                    &uploaded.media_id,
                    &uploaded.uploaded_at,
                    &uploaded.expires_at,
                ],
            )
            .await?;
        client.execute("DELETE FROM uploaded_media WHERE expires_at < $1", &[&uploaded.uploaded_at]).await?;
        Ok(())
    }

    /// Forgets an upload by Meta's id.
    pub async fn forget_uploaded_media(
        &self,
        phone_number_id: &str,
        sha256: &str,
        media_id: &str,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "DELETE FROM uploaded_media WHERE phone_number_id = $1 AND sha256 = $2 AND media_id = $3",
                &[&phone_number_id, &sha256, &media_id],
            )
            .await?;
        Ok(())
    }

    /// The file with this id of Meta's; `None` if no stored event says that somebody has sent it.
    pub async fn received_media(&self, media_id: &str) -> Result<Option<ReceivedMedia>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT data::jsonb #>> '{media,mime_type}', data::jsonb #>> '{media,filename}' FROM event
                 WHERE source = '/hookswitch/whatsapp' AND type = 'message.received' AND data LIKE '%\"media\"%'
                     AND data::jsonb #>> '{media,id}' = $1
                 LIMIT 1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&media_id]).await?;
        row.map(|row| Ok(ReceivedMedia { mime_type: row.try_get(0)?, filename: row.try_get(1)? })).transpose()
    }
}
