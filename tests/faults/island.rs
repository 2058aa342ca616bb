//! What the network takes for another machine: packets can stop reaching it without a word to anybody.
//!
//! A namespace of the network, joined to ours by a pair of virtual cards. What listens there is this process all the
//! same; only its packets go that way.

use std::{
    fs::{self, File},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
};

use nix::sched::{CloneFlags, setns};

use crate::{
    Skipped,
    harness::{SOON, wait_until},
};

/// The card of the other machine: known beforehand, so that nobody need ask for it.
const CARD: &str = "02:00:00:00:00:02";

/// The other machine. It is gone with the test.
pub struct Island {
    /// The namespace lives as long as this process does.
    process: Child,
    ours: Ipv4Addr,
    theirs: Ipv4Addr,
}

impl Island {
    /// A machine that is up and serves nothing.
    pub async fn start() -> Result<Island, Skipped> {
        let mut unshare = Command::new("unshare");
        // It ends with its input, and so with us.
        unshare.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = unshare.spawn().map_err(|error| cannot(&error.to_string()))?;
        let net = format!("/proc/{}/ns/net", process.id());
        // A range for measurements between machines, which leads nowhere; another part of it for each run.
        let [.., a, b] = process.id().to_be_bytes();
        let address = |last| Ipv4Addr::new(198, 18, a, b & 0xfc | last);
        let mut island = Island { process, ours: address(1), theirs: address(2) };
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        wait_until("the namespace is there, or cannot be", SOON, async || {
            let is_over = !matches!(island.process.try_wait(), Ok(None));
            is_over || fs::read_link(&net).is_ok_and(|other| other != own)
        })
        .await;
        island.join()?;
        Ok(island)
    }

    fn join(&self) -> Result<(), Skipped> {
        let (id, [near, far]) = (self.process.id(), self.cards());
        ip(&format!("link add {near} type veth peer name {far} address {CARD} netns {id}"))?;
        ip(&format!("address add {}/30 dev {near}", self.ours))?;
        ip(&format!("link set {near} up"))?;
        ip(&format!("neighbour replace {} lladdr {CARD} dev {near} nud permanent", self.theirs))?;
        self.there(&format!("address add {}/30 dev {far}", self.theirs))?;
        self.there(&format!("link set {far} up"))
    }

    /// Listens on a port of the other machine.
    pub fn listen(&self) -> TcpListener {
        let net = File::open(format!("/proc/{}/ns/net", self.process.id())).unwrap();
        let address = SocketAddr::new(IpAddr::V4(self.theirs), 0);
        // Of the process only this thread goes there, and it ends.
        let listen = move || -> io::Result<TcpListener> {
            setns(net, CloneFlags::CLONE_NEWNET)?;
            TcpListener::bind(address)
        };
        std::thread::spawn(listen).join().unwrap().unwrap()
    }

    /// Whatever goes there is lost, and nothing comes back.
    pub fn vanish(&self) {
        let Err(Skipped(why)) = self.there(&format!("route add blackhole {}/32", self.ours)) else { return };
        panic!("{why}");
    }

    fn there(&self, words: &str) -> Result<(), Skipped> {
        let mut enter = Command::new("nsenter");
        enter.args(["--net", "--target", &self.process.id().to_string(), "ip"]);
        run(enter.args(words.split(' ')))
    }

    fn cards(&self) -> [String; 2] {
        ["a", "b"].map(|end| format!("hs{}{end}", self.process.id()))
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        // The cards go with the namespace.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ip(words: &str) -> Result<(), Skipped> {
    run(Command::new("ip").args(words.split(' ')))
}

fn run(command: &mut Command) -> Result<(), Skipped> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot(&error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(cannot(&format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))),
    }
}

fn cannot(why: &str) -> Skipped {
    Skipped(format!("no namespace of the network can be made here: {why}"))
}
