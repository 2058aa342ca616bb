//! A proxy in front of PostgreSQL that understands enough of its protocol to count statements, and breaks at the one
//! that it is told: before PostgreSQL sees it, when PostgreSQL has done it and nobody knows, or after its answer.
//!
//! A statement is what a client sends up to a `Query` or `Sync` message: PostgreSQL answers it with `ReadyForQuery`.
//! Of all connections together they are counted, so that a walk over the count comes between any two statements.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
};

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

struct State {
    count: Mutex<Count>,
    cut: watch::Sender<bool>,
}

#[derive(Default)]
struct Count {
    /// Statements until the next break.
    left: Option<(usize, Moment)>,
    held: Option<mpsc::Sender<Held>>,
}

/// The proxy. It ends with the test's runtime.
pub struct Wire {
    address: SocketAddr,
    state: Arc<State>,
}

impl Wire {
    /// In front of a socket of PostgreSQL's.
    pub async fn start(socket: PathBuf) -> Wire {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
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
        let (sender, mut held) = mpsc::channel(1);
        *self.state.count() = Count { left: Some((nth, moment)), held: Some(sender) };
        held.recv().await.unwrap()
    }
}

impl State {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a statement; the break, where it is the one.
    fn reached(&self, statement: &str) -> Option<Met> {
        let mut count = self.count();
        let (left, moment) = count.left.as_mut()?;
        *left -= 1;
        let moment = (*left == 0).then_some(*moment)?;
        count.left = None;
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Met { moment, held: count.held.take()?, statement })
    }
}

/// A break that a statement has met.
struct Met {
    moment: Moment,
    held: mpsc::Sender<Held>,
    statement: String,
}

impl Met {
    /// Holds until the case has decided; tells whether the connection goes on.
    async fn hold(self, state: &Arc<State>) -> bool {
        let (verdict, mut verdicts) = watch::channel(Verdict::GoOn);
        let held = Held { statement: self.statement, verdict, state: state.clone() };
        if self.held.send(held).await.is_err() {
            return true;
        }
        // An error: it was dropped.
        verdicts.changed().await.is_err() || *verdicts.borrow() == Verdict::GoOn
    }
}

/// One entry a statement that has no answer yet: the break that comes at its answer, if any.
type Asked = Mutex<VecDeque<Option<Met>>>;

async fn join(near: TcpStream, far: UnixStream, state: &Arc<State>) {
    let (near_in, mut near_out) = near.into_split();
    let (far_in, mut far_out) = far.into_split();
    let mut near_in = BufReader::new(near_in);
    if start_up(&mut near_in, &mut near_out, &mut far_out).await.is_none() {
        return;
    }
    let asked = Asked::default();
    tokio::select! {
        _ = questions(near_in, far_out, &asked, state) => {}
        _ = answers(BufReader::new(far_in), near_out, &asked, state) => {}
    }
}

/// Passes the first message on; says no to encryption before it.
async fn start_up(
    near: &mut Reader,
    answers: &mut (impl AsyncWrite + Unpin),
    far: &mut OwnedWriteHalf,
) -> Option<()> {
    loop {
        let message = packet(near, Vec::new()).await?;
        match message.get(4..8).and_then(|code| Some(u32::from_be_bytes(code.try_into().ok()?)))? {
            SSL_REQUEST | GSS_REQUEST => answers.write_all(b"N").await.ok()?,
            _ => return far.write_all(&message).await.ok(),
        }
    }
}

async fn questions(
    mut near: Reader,
    mut far: OwnedWriteHalf,
    asked: &Asked,
    state: &Arc<State>,
) -> Option<()> {
    let mut prepared = HashMap::new();
    let mut statement = String::new();
    let mut whole = Vec::new();
    loop {
        let Some(message) = message(&mut near).await else {
            // What ends a connection has no Sync behind it.
            return far.write_all(&whole).await.ok();
        };
        let (kind, mut texts) =
            (message[0], message[5..].split(|byte| *byte == 0).map(String::from_utf8_lossy));
        match kind {
            b'Q' => statement = texts.next()?.into_owned(),
            b'P' => {
                let (name, text) = (texts.next()?.into_owned(), texts.next()?.into_owned());
                statement = format!("prepare {text}");
                prepared.insert(name, text);
            }
            b'B' => statement = prepared.get(&*texts.nth(1)?).cloned().unwrap_or_default(),
            _ => {}
        }
        whole.extend(&message);
        if !matches!(kind, b'Q' | b'S') {
            continue;
        }
        let mut met = state.reached(&statement);
        if let Some(met) = met.take_if(|met| met.moment == Moment::Before)
            && !met.hold(state).await
        {
            return None;
        }
        asked.lock().unwrap_or_else(PoisonError::into_inner).push_back(met);
        far.write_all(&whole).await.ok()?;
        whole.clear();
    }
}

async fn answers(
    mut far: BufReader<OwnedReadHalf>,
    mut near: impl AsyncWrite + Unpin,
    asked: &Asked,
    state: &Arc<State>,
) -> Option<()> {
    let asked = || asked.lock().unwrap_or_else(PoisonError::into_inner);
    let is_withheld = |met: &Met| met.moment == Moment::Answered;
    let mut started = false;
    let mut kept = Vec::new();
    loop {
        let message = message(&mut far).await?;
        kept.extend(&message);
        // The first ends the start-up, each later one a statement's answer.
        let is_ready = message[0] == b'Z';
        let mut met = if is_ready && started { asked().pop_front().flatten() } else { None };
        started |= is_ready;
        if let Some(met) = met.take_if(|met| is_withheld(met)) {
            if !met.hold(state).await {
                return None;
            }
        } else if asked().front().is_some_and(|met| met.as_ref().is_some_and(is_withheld)) && !is_ready {
            continue;
        }
        if is_ready || far.buffer().is_empty() {
            near.write_all(&kept).await.ok()?;
            kept.clear();
        }
        if let Some(met) = met
            && !met.hold(state).await
        {
            return None;
        }
    }
}

type Reader = BufReader<tokio::net::tcp::OwnedReadHalf>;

/// What asks for encryption instead of starting up.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// A message with its kind and length.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let kind = from.read_u8().await.ok()?;
    packet(from, vec![kind]).await
}

/// A length, which counts itself, and what follows, behind `head`.
async fn packet(from: &mut (impl AsyncRead + Unpin), mut head: Vec<u8>) -> Option<Vec<u8>> {
    let length = from.read_u32().await.ok()?;
    head.extend(length.to_be_bytes());
    let start = head.len();
    head.resize(start + usize::try_from(length).ok()?.checked_sub(4)?, 0);
    from.read_exact(&mut head[start..]).await.ok()?;
    Some(head)
}
