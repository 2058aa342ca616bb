//! Resolves names, a few at a time.
//!
//! A look-up blocks a thread until the resolver of the system gives up, even if nobody waits for it any more. While names
//! cannot be resolved, hundreds of sends must not take all threads.

use std::{net::ToSocketAddrs, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Maximum number of look-ups at a time per client.
const MOST: usize = 8;

/// The resolver of a client.
pub(super) struct Few(Arc<Semaphore>);

impl Default for Few {
    fn default() -> Few {
        Few(Arc::new(Semaphore::new(MOST)))
    }
}

impl Resolve for Few {
    fn resolve(&self, name: Name) -> Resolving {
        let turns = self.0.clone();
        Box::pin(async move {
            let turn = turns.acquire_owned().await?;
            let found = spawn_blocking(move || {
                let _turn = turn;
                (name.as_str(), 0).to_socket_addrs()
            });
            Ok(Box::new(found.await??) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn names_are_looked_up_as_many_at_a_time_as_there_are_turns() {
        let few = Few::default();
        let taken = few.0.clone().acquire_many_owned(u32::try_from(MOST).unwrap()).await.unwrap();
        let mut waiting = few.resolve("localhost".parse().unwrap());
        assert!(timeout(Duration::from_millis(200), &mut waiting).await.is_err(), "it waits for its turn");
        drop(taken);
        assert!(waiting.await.unwrap().all(|found| found.ip().is_loopback()));
        assert_eq!(few.0.available_permits(), MOST);
    }
}
