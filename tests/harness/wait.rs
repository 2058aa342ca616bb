//! Waiting for a condition instead of sleeping.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything takes on a loaded machine; nothing waits this long unless it fails.
pub const SOON: Duration = Duration::from_secs(30);

/// Looks every 20 ms whether `holds`.
///
/// # Panics
/// Where it does not within `limit`, naming `what`.
#[track_caller]
pub fn wait_until<'a>(
    what: &'a str,
    limit: Duration,
    mut holds: impl AsyncFnMut() -> bool + 'a,
) -> impl Future<Output = ()> + 'a {
    let place = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + limit;
        while !holds().await {
            assert!(Instant::now() < deadline, "{place}: still not after {limit:?}: {what}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
#[should_panic(expected = "still not after 50ms: pigs fly")]
async fn what_never_holds_is_named() {
    wait_until("pigs fly", Duration::from_millis(50), async || false).await;
}

#[tokio::test]
async fn it_looks_until_it_holds() {
    let mut looks = 0;
    let holds = async || {
        looks += 1;
        looks == 5
    };
    wait_until("five looks", SOON, holds).await;
}
