//! The accept loop: HTTP/1.1 for as many connections as the process can afford, none of them for ever.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use nix::sys::resource::{Resource, getrlimit};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    KIB, Problem,
    connections::{Connections, Phase, Place},
    stream::Watched,
};

/// Connections at once, where the process may have twice as many files open; half of those otherwise.
const CONNECTIONS: usize = 1_024;
/// A head may be this large, and this much of a body is read at a time.
const BUFFER: usize = 64 * KIB;
/// How long handlers may finish in when the service stops.
const FINISH: Duration = Duration::from_secs(5);
/// The pause after the system refused a connection.
const PAUSE: Duration = Duration::from_millis(100);
/// Refusals of the system are logged at most so often.
const LOGGED: Duration = Duration::from_secs(60);
const SWEEP: Duration = Duration::from_secs(1);

/// The answer to a connection for which there is no place.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
    retry-after: 5\r\nconnection: close\r\ncontent-length: 134\r\n\r\n\
    {\"status\":503,\"title\":\"Service Unavailable\",\"code\":\"busy\",\"detail\":\"too many connections are open; send the request again in a while\"}";

/// Serves until `stop`; then closes the connections between two requests at once, and the others when their answers
/// are written, or after 5 seconds.
pub async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let connections = Arc::new(Connections::new(places()));
    let tasks = TaskTracker::new();
    let mut sweeps = interval(SWEEP);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut logged: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            _ = sweeps.tick(), if !connections.are_none() => {
                connections.sweep();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => match connections.admit(address.ip()) {
                Some(place) => drop(tasks.spawn(connection(stream, place, routes.clone(), stop.clone()))),
                None => drop(tasks.spawn(refuse(stream))),
            },
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // No descriptor or memory is left: whoever rests must go.
                let closed = connections.close_longest();
                if logged.is_none_or(|at| at.elapsed() > LOGGED) {
                    tracing::error!(%error, closed_another = closed, "failed to accept a connection");
                    logged = Some(Instant::now());
                }
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    connections.close_resting();
    if timeout(FINISH, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "closed connections whose requests did not finish in time");
        connections.close_all();
        // Each is dropped at its next turn.
        let _ = timeout(FINISH, tasks.wait()).await;
    }
}

/// As many connections as leave half of the descriptors to everything else.
fn places() -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE)
        .map_or(CONNECTIONS, |(soft, _)| usize::try_from(soft / 2).unwrap_or(CONNECTIONS));
    files.clamp(16, CONNECTIONS)
}

/// Whether it was the client's connection that failed, and not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Says that there is no place, to a client that may not read it.
async fn refuse(mut stream: TcpStream) {
    let _ = timeout(SWEEP, async {
        stream.write_all(FULL).await?;
        stream.shutdown().await
    })
    .await;
}

async fn connection(stream: TcpStream, place: Place, routes: Router, stop: CancellationToken) {
    // An answer is one write; without this it may wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let watched = Watched { stream, connection: place.connection.clone() };
    let routes = TowerToHyperService::new(routes);
    let handled = place.connection.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        handled.is_in(Phase::Handling);
        let handled = handled.clone();
        let routes = routes.clone();
        async move {
            let response = match lacks_host(&request) {
                true => no_host().into_response(),
                false => hyper::service::Service::call(&routes, request.map(Body::new)).await?,
            };
            handled.is_in(Phase::Writing);
            Ok::<Response, Infallible>(response)
        }
    });
    let serving = http1::Builder::new().max_buf_size(BUFFER).serve_connection(TokioIo::new(watched), service);
    let mut serving = std::pin::pin!(serving);
    let mut stopping = false;
    loop {
        tokio::select! {
            // Whatever is wrong with one connection is its client's affair.
            _ = serving.as_mut() => return,
            () = place.connection.close.cancelled() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// RFC 9112, 3.2.
fn lacks_host(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_11 && !request.headers().contains_key(header::HOST)
}

fn no_host() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "host_missing", "An HTTP/1.1 request must have the header Host.")
}
