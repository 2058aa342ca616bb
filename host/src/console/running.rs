//! What runs by itself: schedules, digests, sending numbers and hosts.

use axum::{extract::State, response::Html};
use minijinja::context;

use super::{Console, query::PAGE, refusal::Refusal, render, session::Viewer};

/// Schedules and open digests.
pub async fn schedules(viewer: Viewer, State(console): State<Console>) -> Result<Html<String>, Refusal> {
    let mut schedules = console.setup.schedules().await?;
    let mut digests = console.operate.digests(None, PAGE + 1).await?;
    let further = schedules.len().saturating_sub(PAGE as usize);
    schedules.truncate(PAGE as usize);
    let are_more = i64::try_from(digests.len()).is_ok_and(|count| count > PAGE);
    digests.truncate(PAGE as usize);
    for digest in &mut digests {
        digest.contacts.truncate(PAGE as usize);
    }
    render::view(
        "schedules.html",
        &viewer,
        context! { schedules => render::value(&schedules), further, digests => render::value(&digests), are_more },
    )
}

/// Sending numbers and hosts.
pub async fn numbers(viewer: Viewer, State(console): State<Console>) -> Result<Html<String>, Refusal> {
    let (numbers, hosts) = tokio::join!(console.setup.numbers(), console.operate.hosts());
    render::view(
        "numbers.html",
        &viewer,
        context! { numbers => render::value(&numbers?), hosts => render::value(&hosts?) },
    )
}
