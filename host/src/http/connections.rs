//! The connections there are: what each is doing, and which must go.
//!
//! Each connection notes its phase in two atomics, without a lock or a timer per request. A sweep each second closes
//! those that stay in a phase for too long; where there are too many, the one that has done nothing for longest goes.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

/// How long a head may take, from the first byte, or from the connection's start.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may rest between two requests.
const IDLE: Duration = Duration::from_secs(75);
/// How long a client may read nothing of an answer.
const WRITING: Duration = Duration::from_secs(15);
/// A connection that did something this recently is not closed for the sake of another.
const SPARED: Duration = Duration::from_millis(250);

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between two requests.
    Idle,
    /// A request's head is coming in.
    Head,
    /// A handler has the request; it has time limits of its own.
    Handling,
    /// The answer is being written.
    Writing,
}

impl Phase {
    fn of(number: u8) -> Phase {
        [Phase::Idle, Phase::Head, Phase::Handling]
            .get(usize::from(number))
            .copied()
            .unwrap_or(Phase::Writing)
    }

    /// How long it may last without progress.
    fn limit(self) -> Option<Duration> {
        match self {
            Phase::Idle => Some(IDLE),
            Phase::Head => Some(HEAD),
            Phase::Handling => None,
            Phase::Writing => Some(WRITING),
        }
    }
}

/// A connection.
pub struct Connection {
    start: Instant,
    phase: AtomicU8,
    /// Milliseconds from `start` to the last progress.
    since: AtomicU64,
    /// Cancelled when it must be closed.
    pub close: CancellationToken,
}

impl Connection {
    fn new() -> Connection {
        Connection {
            start: Instant::now(),
            phase: AtomicU8::new(Phase::Head as u8),
            since: AtomicU64::new(0),
            close: CancellationToken::new(),
        }
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Ordering::Relaxed))
    }

    /// It has begun a phase, or made progress in it.
    pub fn is_in(&self, phase: Phase) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(millis, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// How long it has made no progress, where nobody here is at work for it.
    fn rests(&self) -> Option<Duration> {
        let since = Duration::from_millis(self.since.load(Ordering::Relaxed));
        (self.phase() != Phase::Handling).then(|| self.start.elapsed().saturating_sub(since))
    }

    fn is_overdue(&self) -> bool {
        self.rests().zip(self.phase().limit()).is_some_and(|(rests, limit)| rests > limit)
    }
}

/// All connections, at most `most`, and of one address at most half of them.
pub struct Connections {
    most: usize,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    next: u64,
    by_number: HashMap<u64, (IpAddr, Arc<Connection>)>,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection's place among all; given back when it is dropped.
pub struct Place {
    connections: Arc<Connections>,
    number: u64,
    /// The connection.
    pub connection: Arc<Connection>,
}

impl Connections {
    /// At most this many.
    pub fn new(most: usize) -> Connections {
        Connections { most, all: Mutex::default() }
    }

    /// Takes a connection in. Where there are too many, the one that has rested longest is closed for it: of the same
    /// address if that has its share, else of all. Nothing if none rests.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = client(address);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let has_share = all.by_address.get(&address).is_some_and(|count| *count >= self.share());
        if has_share {
            all.close_longest(Some(address))?;
        } else if all.by_number.len() >= self.most {
            all.close_longest(None)?;
        }
        let (number, connection) = (all.next, Arc::new(Connection::new()));
        all.next += 1;
        all.by_number.insert(number, (address, connection.clone()));
        *all.by_address.entry(address).or_default() += 1;
        Some(Place { connections: self.clone(), number, connection })
    }

    fn share(&self) -> usize {
        (self.most / 2).max(1)
    }

    /// Closes the connection that has rested longest; tells whether there was one.
    pub fn close_longest(&self) -> bool {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).close_longest(None).is_some()
    }

    /// Whether nobody is connected.
    pub fn are_none(&self) -> bool {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).by_number.is_empty()
    }

    /// Closes the connections that have been in a phase for too long.
    pub fn sweep(&self) {
        self.close_where(|connection| connection.is_overdue());
    }

    /// Closes the connections for which no handler is at work.
    pub fn close_resting(&self) {
        self.close_where(|connection| matches!(connection.phase(), Phase::Idle | Phase::Head));
    }

    /// Closes all.
    pub fn close_all(&self) {
        self.close_where(|_| true);
    }

    fn close_where(&self, must_go: impl Fn(&Connection) -> bool) {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, connection) in all.by_number.values().filter(|(_, connection)| must_go(connection)) {
            connection.close.cancel();
        }
    }
}

impl All {
    fn close_longest(&mut self, of: Option<IpAddr>) -> Option<()> {
        let resting = self.by_number.iter().filter(|(_, (address, _))| of.is_none_or(|of| of == *address));
        let resting = resting.filter_map(|(number, (_, connection))| Some((connection.rests()?, *number)));
        let (_, number) = resting.filter(|(rests, _)| *rests >= SPARED).max()?;
        // Its task ends soon; its place is free at once.
        if let Some(connection) = self.remove(number) {
            connection.close.cancel();
        }
        Some(())
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Connection>> {
        let (address, connection) = self.by_number.remove(&number)?;
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
        Some(connection)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.connections.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(self.number);
    }
}

/// Whoever has an IPv6 address has all of its /64.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn rest(place: &Place, phase: Phase, seconds: u64) {
        // As if it had started earlier.
        let start = Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let connection = Connection { start, close: place.connection.close.clone(), ..Connection::new() };
        connection.phase.store(phase as u8, Ordering::Relaxed);
        let mut all = place.connections.all.lock().unwrap();
        all.by_number.get_mut(&place.number).unwrap().1 = Arc::new(connection);
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn where_there_are_too_many_the_longest_at_rest_goes() {
        let connections = Arc::new(Connections::new(4));
        let places: Vec<Place> = (0..4).map(|n| connections.admit(address(n)).unwrap()).collect();
        assert!(connections.admit(address(9)).is_none(), "all have just come");
        rest(&places[0], Phase::Handling, 500);
        rest(&places[1], Phase::Idle, 20);
        rest(&places[2], Phase::Head, 5);
        let new = connections.admit(address(9)).unwrap();
        assert!(places[1].connection.close.is_cancelled());
        let _newer = connections.admit(address(8)).unwrap();
        assert!(places[2].connection.close.is_cancelled());
        assert!(connections.admit(address(7)).is_none());
        drop(new);
        assert!(connections.admit(address(7)).is_some());
        assert!(!places[0].connection.close.is_cancelled(), "somebody is at work for it");
    }

    #[test]
    fn one_address_has_half_at_most() {
        let connections = Arc::new(Connections::new(4));
        let _places = [connections.admit(address(1)).unwrap(), connections.admit(address(1)).unwrap()];
        assert!(connections.admit(address(1)).is_none());
        assert!(connections.admit(address(2)).is_some());
    }

    #[test]
    fn each_phase_has_its_limit() {
        for (phase, seconds, overdue) in [
            (Phase::Head, 9, false),
            (Phase::Head, 11, true),
            (Phase::Idle, 70, false),
            (Phase::Idle, 80, true),
            (Phase::Writing, 20, true),
            (Phase::Handling, 1_000, false),
        ] {
            let connections = Arc::new(Connections::new(4));
            let place = connections.admit(address(1)).unwrap();
            rest(&place, phase, seconds);
            connections.sweep();
            assert_eq!(place.connection.close.is_cancelled(), overdue, "{phase:?} {seconds}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let of = |text: &str| client(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), address(1));
    }
}
