//! The files of the rules at Meta: each is uploaded once for a sending number, and again in time.
//!
//! Many messages may need the same file at once: they share one upload. A message gets the file as it is when it is sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use hookswitch_core::{
    catalog::{Catalog, Live, MediaFile},
    domain::Lane,
    plan::media_type,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    store::{LoggedNotification, Store, UploadedMedia},
    whatsapp::{Accepted, Client, Form, KEPT, SendError, Upload, file_in, is_about_media},
};

/// An upload is not used any more so long before Meta forgets it: a message may be on its way for a while.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);
/// Meta certainly knows an upload that is younger.
const FRESH: SignedDuration = SignedDuration::from_mins(1);

/// A sending number, and the SHA-256 of a file.
type Key = (String, String);
type Uploading = Shared<BoxFuture<'static, Result<UploadedMedia, SendError>>>;

/// Uploads files, and knows which are uploaded.
pub struct Uploads {
    store: Store,
    client: Client,
    live: Arc<Live>,
    known: Mutex<HashMap<Key, Uploading>>,
}

impl Uploads {
    /// Uploads the files of the live rules.
    pub fn new(store: Store, client: Client, live: Arc<Live>) -> Arc<Uploads> {
        Arc::new(Uploads { store, client, live, known: Mutex::default() })
    }

    /// Sends a message, with its file uploaded before. An id of the file that Meta does not know any more is replaced once.
    /// `may_go` says whether the message may still be sent after an upload.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(
        self: &Arc<Self>,
        ends @ (from, to): (&str, &str),
        form: Form,
        logged: &LoggedNotification,
        callback_data: &str,
        may_go: impl Fn() -> bool,
    ) -> Result<Accepted, SendError> {
        let message = &logged.notification.message;
        let Some(path) = file_in(message, form) else {
            return self.client.send(from, to, form, message, None, callback_data).await;
        };
        // Apart, as few messages have a file and all would have to carry what this one needs.
        Box::pin(self.send_with_file(path, ends, form, logged, callback_data, may_go)).await
    }

    async fn send_with_file(
        self: &Arc<Self>,
        path: &str,
        (from, to): (&str, &str),
        form: Form,
        logged: &LoggedNotification,
        callback_data: &str,
        may_go: impl Fn() -> bool,
    ) -> Result<Accepted, SendError> {
        let message = &logged.notification.message;
        let may_go = || {
            let why = "the host lost the lane while it uploaded the message's file";
            if may_go() { Ok(()) } else { Err(SendError::NotSent(why.to_owned())) }
        };
        let (key, uploaded) = self.upload(from, path, logged.event_lane).await?;
        may_go()?;
        match self.client.send(from, to, form, message, Some(&uploaded.media_id), callback_data).await {
            Err(error) if is_about_media(&error) && uploaded.uploaded_at < self.store.now() - FRESH => {
                tracing::info!(path, media = uploaded.media_id, %error, "uploading a file again: Meta refused its id");
                self.forget(&key, &uploaded).await;
                let (_, again) = self.upload(from, path, logged.event_lane).await?;
                may_go()?;
                self.client.send(from, to, form, message, Some(&again.media_id), callback_data).await
            }
            answer => answer,
        }
    }

    /// The file of a message with the beginning of its SHA-256, for its history.
    pub fn file_in_words(&self, logged: &LoggedNotification, form: Form) -> Option<String> {
        let path = file_in(&logged.notification.message, form)?;
        let catalog = self.catalog(path, logged.event_lane);
        let sha256 = catalog.files.get(path)?.sha256.get(..12)?;
        Some(format!("{path} (SHA-256 {sha256}…)"))
    }

    /// The upload of a file for a number, which may have to be made first.
    async fn upload(
        self: &Arc<Self>,
        from: &str,
        path: &str,
        event_lane: Lane,
    ) -> Result<(Key, UploadedMedia), SendError> {
        let catalog = self.catalog(path, event_lane);
        let (Some(file), Some(mime_type)) = (catalog.files.get(path), media_type(path)) else {
            return Err(SendError::NotSent(format!("the rules of this host have no file {path}")));
        };
        let key = (from.to_owned(), file.sha256.clone());
        let uploading = self.uploading(&key, path, mime_type, file);
        drop(catalog);
        let uploaded = uploading.clone().await;
        if uploaded.is_err() {
            let mut known = self.known();
            if known.get(&key).is_some_and(|known| known.ptr_eq(&uploading)) {
                known.remove(&key);
            }
        }
        Ok((key, uploaded?))
    }

    /// The rules with a file: those that decide about the message's event or, if they do not have it, the others: they may
    /// have decided when the message was planned.
    fn catalog(&self, path: &str, event_lane: Lane) -> Arc<Catalog> {
        let in_force = self.live.in_force();
        let of_lane = in_force.of(event_lane);
        let with_file = std::iter::once(of_lane).chain(in_force.all()).find(|it| it.files.contains_key(path));
        with_file.unwrap_or(of_lane).clone()
    }

    /// The upload that is known or under way, or a new one.
    fn uploading(
        self: &Arc<Self>,
        key: &Key,
        path: &str,
        mime_type: &'static str,
        file: &MediaFile,
    ) -> Uploading {
        let until = self.store.now() + MARGIN;
        let is_good = |uploading: &Uploading| {
            uploading.peek().is_none_or(|done| done.as_ref().is_ok_and(|done| done.expires_at > until))
        };
        let mut known = self.known();
        known.retain(|_, uploading| is_good(uploading));
        let new = || {
            let (uploads, key, path) = (self.clone(), key.clone(), path.to_owned());
            let file = file.clone();
            async move { uploads.obtain(&key, &path, mime_type, &file, until).await }.boxed().shared()
        };
        known.entry(key.clone()).or_insert_with(new).clone()
    }

    /// The upload of another host or of an earlier run, or a new one.
    async fn obtain(
        &self,
        (number, sha256): &Key,
        path: &str,
        mime_type: &str,
        file: &MediaFile,
        until: Timestamp,
    ) -> Result<UploadedMedia, SendError> {
        let failed = |why: String| SendError::NotSent(format!("cannot upload {path}: {why}"));
        let known = self.store.uploaded_media(number, sha256, until).await;
        if let Some(known) = known.map_err(|error| failed(error.to_string()))? {
            return Ok(known);
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let uploaded = self.client.upload(number, Upload { name, mime_type, file }).await;
        let media_id = uploaded.map_err(|error| match error {
            SendError::Refused { http, code, subcode, message, details, is_transient, retry_after } => {
                let message = format!("the upload of {path}: {message}");
                SendError::Refused { http, code, subcode, message, details, is_transient, retry_after }
            }
            // Whatever came of the upload, the message was not sent.
            SendError::NotSent(why) | SendError::Unknown(why) => failed(why),
            error @ SendError::Garbled { .. } => failed(error.to_string()),
        })?;
        let uploaded_at = self.store.now();
        let uploaded = UploadedMedia { media_id, uploaded_at, expires_at: uploaded_at + KEPT };
        if let Err(error) = self.store.store_uploaded_media(number, sha256, &uploaded).await {
            // It is good all the same, for as long as this host runs.
            tracing::warn!(%error, path, "failed to store the id of an upload");
        }
        Ok(uploaded)
    }

    /// Forgets an upload that Meta does not know.
    async fn forget(&self, key: &Key, uploaded: &UploadedMedia) {
        // In the database first: whoever finds it nowhere else must not find it there.
        if let Err(error) = self.store.forget_uploaded_media(&key.0, &key.1, &uploaded.media_id).await {
            tracing::warn!(%error, "failed to forget the id of an upload");
        }
        let is_it = |uploading: &Uploading| {
            uploading.peek().is_some_and(|done| done.as_ref().is_ok_and(|done| done == uploaded))
        };
        let mut known = self.known();
        if known.get(key).is_some_and(is_it) {
            known.remove(key);
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Uploading>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
