//! What all of the HTTP API shares: connections, keys, bodies and refusals, each within bounds.
//!
//! A request is refused as early as it can be: the method, the key, its scope, the content type, the length, and only
//! then is the body read. So somebody without a key costs a connection and no more, and what bodies take in memory is
//! bounded over all connections ([`Bodies`]).

mod attachment;
mod body;
mod callers;
mod connections;
mod etag;
mod gzip;
mod hosts;
mod incoming;
mod keys;
mod page;
mod problem;
mod rate;
mod request;
mod server;
mod source;
mod stream;

pub use self::{
    attachment::attachment,
    body::{Bodies, Body, Budget, JsonBody, KIB, Limits, MIB},
    callers::{Acting, Admin, Reader, Trying, Viewing},
    etag::{IfMatch, changed, etag},
    hosts::Hosts,
    keys::{ApiKey, Caller, Grant, Keys, Scope, key_digest},
    page::{last_of_full, page, page_limit},
    problem::{Errors, Problem, ProblemError, sentence},
    request::{from_path, invalid, query},
    server::serve,
    source::{is_reserved, is_within},
};
