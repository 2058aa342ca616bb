//! Which process a host is: told apart from every other of its name, as containers share names and process ids.

use std::fs;

/// A process, for as long as its machine runs: the machine's boot, the process's namespace of ids, its id there, and when
/// it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    boot: String,
    namespace: String,
    pid: u32,
    started: u64,
}

impl Identity {
    /// This process's own; `None` where the system does not tell.
    pub(super) fn own() -> Option<Identity> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.to_owned();
        let pid = std::process::id();
        Some(Identity { boot, namespace, pid, started: started(pid)? })
    }

    /// As it is stored.
    pub(super) fn text(&self) -> String {
        format!("{} {} {} {}", self.boot, self.namespace, self.pid, self.started)
    }

    /// Reads one that was stored.
    pub(super) fn read(text: &str) -> Option<Identity> {
        let mut words = text.split(' ');
        let identity = Identity {
            boot: words.next()?.to_owned(),
            namespace: words.next()?.to_owned(),
            pid: words.next()?.parse().ok()?,
            started: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(identity)
    }

    /// Whether the other was in our namespace since the machine booted, and its process is gone.
    pub(super) fn says_gone(&self, other: &Identity) -> bool {
        (&self.boot, &self.namespace) == (&other.boot, &other.namespace)
            && started(other.pid) != Some(other.started)
    }
}

/// When a process started, in ticks since the machine booted; `None` where there is no such process.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything. Of the fields behind it this is the 20th.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn only_a_dead_process_of_this_namespace_is_gone() {
        let own = Identity::own().unwrap();
        assert_eq!(Identity::read(&own.text()), Some(own.clone()));
        assert!(!own.says_gone(&own), "it lives");
        let reused = Identity { started: own.started + 1, ..own.clone() };
        assert!(own.says_gone(&reused), "another process has its id now");
        let dead = Identity { pid: i32::MAX.unsigned_abs(), ..own.clone() };
        assert!(own.says_gone(&dead));
        assert!(!own.says_gone(&Identity { namespace: "pid:[1]".to_owned(), ..dead.clone() }));
        assert!(!own.says_gone(&Identity { boot: "another".to_owned(), ..dead }));
        assert_eq!(Identity::read("here:100"), None);
    }
}
