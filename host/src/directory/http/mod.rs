//! `/v1/people`, `/v1/groups` and the list of contacts, for keys with the scope `admin`.

mod contacts;
mod groups;
mod import;
mod people;

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRef, Path, rejection::PathRejection},
};
use hookswitch_core::catalog::Live;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::{contacts::ContactJson, groups::GroupJson, people::PersonJson};
use super::{Directory, Editor};
use crate::{
    http::{Bodies, Caller, Keys, Problem, from_path, invalid},
    store::ActionWay,
};

/// State shared by the handlers. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    directory: Directory,
    live: Arc<Live>,
    keys: Keys,
    bodies: Bodies,
}

impl Desk {
    /// The directory in the hands of a caller.
    fn by(&self, caller: &Caller) -> Editor {
        self.directory.by(caller.name(), ActionWay::Api)
    }
}

impl FromRef<Desk> for Keys {
    fn from_ref(desk: &Desk) -> Keys {
        desk.keys.clone()
    }
}

impl FromRef<Desk> for Bodies {
    fn from_ref(desk: &Desk) -> Bodies {
        desk.bodies.clone()
    }
}

/// The endpoints with their descriptions.
pub fn routes() -> OpenApiRouter<Desk> {
    OpenApiRouter::new()
        .routes(routes!(people::list, people::add))
        .routes(routes!(import::import))
        .routes(routes!(people::get, people::change))
        .routes(routes!(groups::list))
        .routes(routes!(groups::get, groups::create, groups::rename, groups::delete))
        .routes(routes!(groups::add_member, groups::remove_member))
        .routes(routes!(contacts::list))
        .routes(routes!(contacts::set_language))
}

/// The operator's HTTP API.
pub fn router(directory: Directory, live: Arc<Live>, keys: Keys, bodies: Bodies) -> Router {
    routes().with_state(Desk { directory, live, keys, bodies }).into()
}

/// The name in a path. U+0000 is refused here: PostgreSQL cannot store it.
fn name(path: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let name = from_path(path)?;
    storable(&name)?;
    Ok(name)
}

fn storable(text: &str) -> Result<(), Problem> {
    if text.contains('\0') {
        Err(invalid("A name must not contain the character U+0000.".to_owned()))
    } else {
        Ok(())
    }
}
