//! `/v1/people`, `/v1/groups` and the list of contacts, for keys with the scope `admin`.

mod contacts;
mod groups;
mod import;
mod people;

use std::sync::Arc;

use axum::{
    Router,
    extract::{
        FromRef, Path, Query,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
};
use hookswitch_core::catalog::Live;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::{contacts::ContactJson, groups::GroupJson, people::PersonJson};
use super::{Directory, Editor};
use crate::{
    http::{Bodies, Caller, Keys, Problem, sentence},
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

fn invalid(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
}

/// The name in a path. U+0000 is refused here: PostgreSQL cannot store it.
fn name(path: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Path(name) = path.map_err(|error| invalid(sentence(&error.body_text())))?;
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

fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    query.map(|Query(query)| query).map_err(|error| invalid(sentence(&error.body_text())))
}
