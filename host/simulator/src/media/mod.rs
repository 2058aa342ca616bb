//! Media: uploaded, read, downloaded, deleted, and sent by id.

mod endpoints;
mod kinds;
mod link;
mod store;
mod upload;

pub use self::{
    endpoints::{delete, download, get},
    store::MediaStore,
    upload::{Uploads, upload},
};
