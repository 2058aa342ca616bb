//! What the admin listener serves.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{process::Process, scrape::Scrape};
use crate::{
    config::AdminConfig,
    http::{Hosts, Problem},
    metrics::CONTENT_TYPE,
};

/// The routes for operators, `pages` among them. Only `/metrics` answers whatever name the request has for this host.
pub(super) fn router(mut scrape: Scrape, pages: Router, config: &AdminConfig) -> Router {
    scrape.metrics.add_common(Process::new());
    let hosts = Hosts::new(config.url.as_ref().and_then(|url| url.host_str()));
    let metrics = Router::new().route("/metrics", get(show)).with_state(Arc::new(scrape));
    hosts.only(pages).merge(metrics)
}

async fn show(State(scrape): State<Arc<Scrape>>) -> Response {
    match scrape.text().await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to write the metrics");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Internal error; see the log of the host.",
            )
            .into_response()
        }
    }
}
