//! A proxy in front of PostgreSQL that understands enough of its protocol to count statements, and breaks at the one
//! that it is told: before PostgreSQL sees it, when PostgreSQL has done it and nobody knows, or after its answer.
//!
//! A statement is what a client sends up to a `Query` or `Sync` message: PostgreSQL answers it with `ReadyForQuery`.
//! Of all connections together they are counted, so that a walk over the count comes between any two statements.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    net::{TcpListener, UnixStream},
    sync::{mpsc, watch},
};

use crate::protocol::join;

/// When it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// PostgreSQL has not got the statement.
    Before,
    /// PostgreSQL has done it; the client does not know.
    Answered,
    /// The client has its answer.
    After,
}

/// All moments.
pub const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Answered, Moment::After];

/// What becomes of the connection that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as if nothing had been.
    GoOn,
    /// Both of its ends close.
    Cut,
    /// All connections end, and new ones too until [`Wire::open`]: a pooler restarts.
    CutAll,
}

/// A connection that is held at a statement, until it is told what becomes of it. Dropped, it goes on.
pub struct Held {
    /// The text of the statement, where the client sent it, for whoever looks into a failure.
    pub statement: String,
    verdict: watch::Sender<Verdict>,
    state: Arc<State>,
}

impl Held {
    pub fn end(self, verdict: Verdict) {
        if verdict == Verdict::CutAll {
            self.state.cut.send_replace(true);
        }
        self.verdict.send_replace(verdict);
    }
}

/// What all connections share.
pub struct State {
    count: Mutex<Count>,
    cut: watch::Sender<bool>,
}

#[derive(Default)]
struct Count {
    /// Statements until the next break, of those that contain these words.
    left: Option<(usize, Moment)>,
    words: &'static str,
    held: Option<mpsc::Sender<Held>>,
}

/// The proxy. It ends with the test's runtime.
pub struct Wire {
    address: SocketAddr,
    state: Arc<State>,
}

impl Wire {
    /// In front of a socket of PostgreSQL's.
    pub fn on(socket: PathBuf) -> Wire {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { count: Mutex::default(), cut: watch::Sender::new(false) });
        let of_all = state.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (state, socket) = (of_all.clone(), socket.clone());
                tokio::spawn(async move {
                    let mut cut = state.cut.subscribe();
                    if *cut.borrow_and_update() {
                        return;
                    }
                    let _ = near.set_nodelay(true);
                    let Ok(far) = UnixStream::connect(socket).await else { return };
                    tokio::select! {
                        () = join(near, far, &state) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        Wire { address, state }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets new connections through again.
    pub fn open(&self) {
        self.state.cut.send_replace(false);
    }

    /// Waits for the `nth` statement from now on, from 1, and holds its connection at this moment of it.
    pub async fn hold(&self, nth: usize, moment: Moment) -> Held {
        self.hold_at("", nth, moment).await
    }

    /// The same, of the statements that contain these words, with single spaces; not where they are prepared.
    pub async fn hold_at(&self, words: &'static str, nth: usize, moment: Moment) -> Held {
        let mut left = nth;
        loop {
            let (sender, mut held) = mpsc::channel(1);
            *self.state.count() = Count { left: Some((left, moment)), words, held: Some(sender) };
            if let Some(held) = held.recv().await {
                return held;
            }
            // The connection ended before the moment came: the next one that has it.
            left = 1;
        }
    }
}

impl State {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a statement; the break, where it is the one.
    pub fn reached(self: &Arc<Self>, statement: &str) -> Option<Met> {
        let mut count = self.count();
        let words = count.words;
        let (left, moment) = count.left.as_mut()?;
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        if !words.is_empty() && (!statement.contains(words) || statement.starts_with("prepare ")) {
            return None;
        }
        *left -= 1;
        let moment = (*left == 0).then_some(*moment)?;
        count.left = None;
        Some(Met { moment, held: count.held.take()?, statement, state: self.clone() })
    }
}

/// A break that a statement has met.
pub struct Met {
    pub moment: Moment,
    held: mpsc::Sender<Held>,
    statement: String,
    state: Arc<State>,
}

impl Met {
    /// Holds until the case has decided; tells whether the connection goes on.
    pub async fn hold(self) -> bool {
        let (verdict, mut verdicts) = watch::channel(Verdict::GoOn);
        let held = Held { statement: self.statement, verdict, state: self.state };
        if self.held.send(held).await.is_err() {
            return true;
        }
        // An error: it was dropped.
        verdicts.changed().await.is_err() || *verdicts.borrow() == Verdict::GoOn
    }
}
