//! The caller of a request, by the scope that an endpoint needs.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};

use super::{
    Problem,
    keys::{Caller, Keys, Scope},
};

/// A caller with the scope `admin`. The first argument of a handler: extractors run in order, so that nothing else of
/// the request is looked at before its key.
pub struct Admin;

impl<S: Send + Sync> FromRequestParts<S> for Admin
where
    Keys: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Keys::from_ref(state).require(&parts.headers, Scope::Admin).await.map(|_| Admin)
    }
}

/// A caller with the scope `admin` whose name is recorded. Stands first, as [`Admin`] does.
pub struct Administering(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Administering
where
    Keys: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Keys::from_ref(state).require(&parts.headers, Scope::Admin).await.map(Administering)
    }
}

/// A caller with the scope `read`. Stands first, as [`Admin`] does.
pub struct Reader(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Reader
where
    Keys: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Keys::from_ref(state).require(&parts.headers, Scope::Read).await.map(Reader)
    }
}

/// A caller with the scopes `read` and `events`: who may post events may see what would come of them. Stands first, as
/// [`Admin`] does.
pub struct Trying(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Trying
where
    Keys: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Keys::from_ref(state).require_all(&parts.headers, &[Scope::Read, Scope::Events]).await.map(Trying)
    }
}

/// A caller with the scope `operate`. Stands first, as [`Admin`] does.
pub struct Acting(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Acting
where
    Keys: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Keys::from_ref(state).require(&parts.headers, Scope::Operate).await.map(Acting)
    }
}
