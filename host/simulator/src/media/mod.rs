//! Media: uploaded, read, downloaded, deleted, and sent by id.

mod endpoints;
mod kinds;
mod link;
pub mod resumable;
mod store;
mod upload;

pub use self::{
    endpoints::{delete, download, get},
    kinds::LARGEST,
    store::MediaStore,
    upload::{Uploads, upload},
};
