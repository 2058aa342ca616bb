//! A proxy between two parties of a test, which can be slow, stall, or break.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    time::sleep,
};

/// What the link does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It passes what comes.
    Whole,
    /// It passes each piece so much later.
    Slow(Duration),
    /// It keeps what comes and passes it once it is whole again, as a network that lost packets does.
    Stalled,
    /// It is cut: what is open ends at once, and what is new too.
    Cut,
    /// Questions pass and answers do not: the side that asks sees its connection end.
    HalfClosed,
    /// It swallows what comes, and the end of either side too: the other machine has lost its power.
    Vanished,
}

/// Where the other end is.
#[derive(Clone, Debug)]
pub enum Target {
    /// A port of this machine.
    Port(u16),
    /// PostgreSQL's socket.
    Socket(PathBuf),
}

/// A proxy on a port of this machine. It ends with the test's runtime.
pub struct Proxy {
    address: SocketAddr,
    link: watch::Sender<Link>,
    target: watch::Sender<Target>,
}

impl Proxy {
    pub async fn start(target: Target) -> Proxy {
        Proxy::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), target)
    }

    /// On a port that somebody else chose.
    pub fn on(listener: TcpListener, target: Target) -> Proxy {
        let address = listener.local_addr().unwrap();
        let (link, links) = watch::channel(Link::Whole);
        let (target, targets) = watch::channel(target);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connect(near, targets.borrow().clone(), links.clone()));
            }
        });
        Proxy { address, link, target }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the link, for what is open too.
    pub fn set(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// Leads what is new elsewhere.
    pub fn lead_to(&self, target: Target) {
        self.target.send_replace(target);
    }
}

async fn connect(near: TcpStream, target: Target, mut link: watch::Receiver<Link>) {
    let now = *link.borrow();
    match now {
        Link::Cut => return,
        Link::Vanished => {
            // As good as no answer: nothing says that nobody is there.
            let _ = link.wait_for(|link| *link != Link::Vanished).await;
            return;
        }
        Link::Whole | Link::Slow(_) | Link::Stalled | Link::HalfClosed => {}
    }
    let _ = near.set_nodelay(true);
    match target {
        Target::Port(port) => {
            let Ok(far) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await else {
                return;
            };
            let _ = far.set_nodelay(true);
            join(near, far, link).await;
        }
        Target::Socket(path) => {
            let Ok(far) = UnixStream::connect(path).await else { return };
            join(near, far, link).await;
        }
    }
}

/// Copies both ways until either side ends or the link is cut.
async fn join<F: AsyncRead + AsyncWrite>(near: TcpStream, far: F, link: watch::Receiver<Link>) {
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = tokio::io::split(far);
    let mut cut = link.clone();
    tokio::select! {
        () = copy(near_in, far_out, link.clone(), false) => {}
        () = copy(far_in, near_out, link, true) => {}
        _ = cut.wait_for(|link| *link == Link::Cut) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut link: watch::Receiver<Link>,
    answers: bool,
) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut piece).await;
        if *link.borrow() == Link::Vanished {
            let _ = link.wait_for(|link| *link != Link::Vanished).await;
            return;
        }
        let length = match read {
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        let now = *link.borrow();
        match now {
            Link::Whole => {}
            Link::Slow(time) => sleep(time).await,
            Link::Stalled => match link.wait_for(|link| *link != Link::Stalled).await.map(|link| *link) {
                Err(_) | Ok(Link::Cut | Link::Vanished) => return,
                Ok(_) => {}
            },
            Link::Cut | Link::Vanished => return,
            Link::HalfClosed if answers => {
                // The end of the answers is seen; questions that follow still pass.
                let _ = to.shutdown().await;
                while matches!(from.read(&mut piece).await, Ok(1..)) {}
                return;
            }
            Link::HalfClosed => {}
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
