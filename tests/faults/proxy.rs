//! A small TCP proxy that can be slow, cut and mute.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::Notify,
    task::JoinHandle,
    time::sleep,
};

const PASS: u8 = 0;
const CUT: u8 = 1;
const MUTE: u8 = 2;

/// Where the proxy leads to.
#[derive(Clone)]
pub enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Default)]
struct State {
    mode: AtomicU8,
    delay_ms: AtomicU64,
    cut: Notify,
}

/// Listens on a port of its own.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn to(target: Target) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let task = tokio::spawn(accept(listener, target, state.clone()));
        Proxy { address, state, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections and takes no new ones.
    pub fn cut(&self) {
        self.state.mode.store(CUT, Ordering::SeqCst);
        self.state.cut.notify_waiters();
    }

    /// Takes what comes and passes nothing on: neither side learns of it.
    pub fn mute(&self) {
        self.state.mode.store(MUTE, Ordering::SeqCst);
    }

    /// Passes everything on; what was muted is lost with its connection.
    pub fn heal(&self) {
        if self.state.mode.swap(PASS, Ordering::SeqCst) == MUTE {
            self.state.cut.notify_waiters();
        }
    }

    /// Passes each piece on so much later.
    pub fn slow(&self, delay: Duration) {
        self.state.delay_ms.store(delay.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: Target, state: Arc<State>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        if state.mode.load(Ordering::SeqCst) == CUT {
            continue;
        }
        let (target, state) = (target.clone(), state.clone());
        tokio::spawn(async move {
            // Before the connection: a cut meanwhile ends it too.
            let cut = state.cut.notified();
            tokio::select! {
                () = join(client, target, &state) => {}
                () = cut => {}
            }
        });
    }
}

async fn join(client: TcpStream, target: Target, state: &State) {
    let (read, write) = client.into_split();
    match target {
        Target::Tcp(address) => {
            let Ok(server) = TcpStream::connect(address).await else { return };
            let (from, to) = server.into_split();
            tokio::join!(pump(read, to, state), pump(from, write, state));
        }
        Target::Unix(path) => {
            let Ok(server) = UnixStream::connect(path).await else { return };
            let (from, to) = server.into_split();
            tokio::join!(pump(read, to, state), pump(from, write, state));
        }
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, state: &State) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let delay = state.delay_ms.load(Ordering::SeqCst);
        if delay > 0 {
            sleep(Duration::from_millis(delay)).await;
        }
        if state.mode.load(Ordering::SeqCst) == MUTE {
            continue;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    // Where it has gone already there is nothing to end.
    let _ = to.shutdown().await;
}
