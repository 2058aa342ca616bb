//! Who runs PostgreSQL, which refuses root; and the process that it becomes.

use std::{
    io,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Pid, User, geteuid, getpid};

use super::PostgresError;

/// Whose processes and files the cluster's are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// Ours: we are not root.
    Ours,
    /// We are root and become this user.
    User { uid: u32, gid: u32 },
    /// We are root and stay it outside, but are somebody else inside of a user namespace. For folders that no
    /// other user may enter, such as `/root`.
    Namespace,
}

impl Account {
    /// The account for the cluster in `pgdata`: whose it is already, or the first one that can run the server's
    /// programs within `data_dir`.
    pub(super) fn choose(data_dir: &Path, pgdata: &Path, bin: &Path) -> Result<Account, PostgresError> {
        if !geteuid().is_root() {
            return Ok(Account::Ours);
        }
        let candidates = match owner(pgdata) {
            Some(Account::Ours) => vec![Account::Namespace],
            Some(user) => vec![user],
            None => {
                let named =
                    ["postgres", "nobody"].into_iter().filter_map(|name| User::from_name(name).ok()?);
                owner(data_dir)
                    .filter(|account| *account != Account::Ours)
                    .into_iter()
                    .chain(named.map(|user| Account::User { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
                    .chain([Account::Namespace])
                    .collect()
            }
        };
        candidates
            .into_iter()
            .find(|account| account.can_run(&bin.join("postgres"), data_dir))
            .ok_or_else(|| PostgresError::NoAccount { data_dir: data_dir.to_owned() })
    }

    /// Whether a process of this account may enter the folder and run the program.
    fn can_run(&self, program: &Path, folder: &Path) -> bool {
        let mut command = self.command(program);
        command.arg("--version").current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Makes this account the owner of a file or folder of ours.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        match self {
            Account::User { uid, gid } => chown(path, Some(*uid), Some(*gid)),
            Account::Ours | Account::Namespace => Ok(()),
        }
    }

    /// Whether this account, or root on its behalf, owns what has this user id.
    pub(super) fn owns(&self, uid: u32) -> bool {
        uid == geteuid().as_raw() || matches!(self, Account::User { uid: ours, .. } if *ours == uid)
    }

    /// The program, to be run by this account: in a process group of its own, so that a Ctrl-C at the terminal
    /// is ours to handle; with none of our environment, which holds secrets; and ended with the thread that
    /// starts it.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").stdin(Stdio::null()).process_group(0);
        if let Account::User { uid, gid } = self {
            command.uid(*uid).gid(*gid);
        }
        before_exec(&mut command, *self == Account::Namespace);
        command
    }
}

/// Whose a file is; `Ours` stands for root, and nothing for a file that is not there.
fn owner(path: &Path) -> Option<Account> {
    let file = path.metadata().ok()?;
    Some(match file.uid() {
        0 => Account::Ours,
        uid => Account::User { uid, gid: file.gid() },
    })
}

#[expect(
    unsafe_code,
    reason = "only a hook between fork and exec can make a namespace or ask to end with us"
)]
fn before_exec(command: &mut Command, namespace: bool) {
    let parent = getpid();
    // SAFETY: `settle` makes system calls and nothing else: it neither allocates nor takes a lock, as is
    // required in the child of a process with several threads.
    unsafe {
        command.pre_exec(move || settle(parent, namespace));
    }
}

#[cfg(target_os = "linux")]
fn settle(parent: Pid, namespace: bool) -> io::Result<()> {
    use nix::{
        errno::Errno,
        fcntl::{OFlag, open},
        sched::{CloneFlags, unshare},
        sys::{prctl::set_pdeathsig, signal::Signal, stat::Mode},
        unistd::{getppid, write},
    };
    if namespace {
        unshare(CloneFlags::CLONE_NEWUSER)?;
        let map = open(c"/proc/self/uid_map", OFlag::O_WRONLY, Mode::empty())?;
        write(&map, b"1000 0 1")?;
    }
    // Fast shutdown. The signal survives an exec, but not a change of the user: so it comes last.
    set_pdeathsig(Signal::SIGINT)?;
    if getppid() != parent {
        return Err(Errno::ESRCH.into());
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn settle(_parent: Pid, namespace: bool) -> io::Result<()> {
    if namespace { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_can_run_it_the_way_out_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let chosen =
            Account::choose(dir.path(), &dir.path().join("postgres"), &dir.path().join("no-programs"));
        if geteuid().is_root() {
            let error = chosen.unwrap_err().to_string();
            assert!(
                error.contains("--data-dir") && error.contains(&dir.path().display().to_string()),
                "{error}"
            );
        } else {
            assert_eq!(chosen.unwrap(), Account::Ours);
        }
    }

    #[test]
    fn a_program_gets_none_of_our_environment() {
        let output = Account::Ours.command(Path::new("/usr/bin/env")).output().unwrap();
        let mut variables: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
        variables.sort_unstable();
        assert_eq!(variables, ["LC_ALL=C", "TZ=UTC"]);
    }
}
