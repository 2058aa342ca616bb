//! The floors: what this machine gives for the same bodies and rows without Hookswitch around them.

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::store::Store;

struct Waiting {
    body: Bytes,
    answer: oneshot::Sender<()>,
}

/// A bare handler that only group-commits the bodies into one table, and answers when they are on disk.
pub async fn serve(listener: TcpListener, store: Store) -> anyhow::Result<()> {
    store.make_floor_table().await?;
    let (sender, mut receiver) = mpsc::channel::<Waiting>(10_000);
    tokio::spawn(async move {
        let mut batch = Vec::new();
        while receiver.recv_many(&mut batch, 1_000).await > 0 {
            let bodies: Vec<&str> =
                batch.iter().map(|w| std::str::from_utf8(&w.body).unwrap_or_default()).collect();
            if let Err(error) = store.append_floor(&bodies).await {
                tracing::error!(%error, "failed to append to the floor's table");
            }
            for waiting in batch.drain(..) {
                let _ = waiting.answer.send(());
            }
        }
    });
    let router = Router::new().route("/v1/events", post(accept)).with_state(sender);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn accept(State(queue): State<mpsc::Sender<Waiting>>, body: Bytes) -> StatusCode {
    let (answer, answered) = oneshot::channel();
    if queue.send(Waiting { body, answer }).await.is_ok() && answered.await.is_ok() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}
