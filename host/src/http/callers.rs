//! The caller of a request, by the scopes that an endpoint needs.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};

use super::{
    Problem,
    keys::{Caller, Keys, Scope},
};

/// A caller with these scopes. The first argument of a handler: extractors run in order, so that nothing else of the request
/// is looked at before its key.
macro_rules! callers {
    ($($(#[$what:meta])* $name:ident: $($scope:ident),+;)+) => {$(
        $(#[$what])*
        pub struct $name(pub Caller);

        impl<S: Send + Sync> FromRequestParts<S> for $name
        where
            Keys: FromRef<S>,
        {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                Keys::from_ref(state).require(&parts.headers, &[$(Scope::$scope),+]).await.map($name)
            }
        }
    )+};
}

callers! {
    /// A caller with the scope `admin`. The first argument of a handler, as all of these.
    Admin: Admin;
    /// A caller with the scope `read`.
    Reader: Read;
    /// A caller with the scopes `read` and `events`: who may post events may see what would come of them.
    Trying: Read, Events;
    /// A caller with the scopes `read` and `personal`.
    Viewing: Read, Personal;
    /// A caller with the scope `operate`.
    Acting: Operate;
}
