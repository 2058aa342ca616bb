//! PostgreSQL's protocol, as far as it takes to know where statements and their answers begin and end.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{
        TcpStream, UnixStream, tcp,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::wire::{Met, Moment, State};

/// One entry a statement that has no answer yet: the break that comes at its answer, if any.
type Asked = Mutex<VecDeque<Option<Met>>>;

/// Passes messages on in both directions until either side ends, or a break ends both.
pub async fn join(near: TcpStream, far: UnixStream, state: &Arc<State>) {
    let (near_in, mut near_out) = near.into_split();
    let (far_in, mut far_out) = far.into_split();
    let mut near_in = BufReader::new(near_in);
    if start_up(&mut near_in, &mut near_out, &mut far_out).await.is_none() {
        return;
    }
    let asked = Asked::default();
    let (holding, held) = watch::channel(false);
    tokio::select! {
        _ = questions(near_in, far_out, &asked, holding, state) => {}
        _ = answers(BufReader::new(far_in), near_out, &asked, held) => {}
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
    holding: watch::Sender<bool>,
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
        if let Some(met) = met.take_if(|met| met.moment == Moment::Before) {
            holding.send_replace(true);
            if !met.hold().await {
                return None;
            }
            holding.send_replace(false);
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
    mut held: watch::Receiver<bool>,
) -> Option<()> {
    let asked = || asked.lock().unwrap_or_else(PoisonError::into_inner);
    let is_withheld = |met: &Met| met.moment == Moment::Answered;
    let mut started = false;
    let mut kept = Vec::new();
    loop {
        let message = message(&mut far).await;
        // That PostgreSQL is gone is not told either while a statement is held.
        held.wait_for(|held| !held).await.ok()?;
        let message = message?;
        kept.extend(&message);
        // The first ends the start-up, each later one a statement's answer.
        let is_ready = message[0] == b'Z';
        let mut met = if is_ready && started { asked().pop_front().flatten() } else { None };
        started |= is_ready;
        if let Some(met) = met.take_if(|met| is_withheld(met)) {
            if !met.hold().await {
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
            && !met.hold().await
        {
            return None;
        }
    }
}

type Reader = BufReader<tcp::OwnedReadHalf>;

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
