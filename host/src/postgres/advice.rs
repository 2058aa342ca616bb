//! The one command that installs PostgreSQL on this system.

use std::{fs, path::Path};

/// What to run, or where to read, to get PostgreSQL 15 or later.
pub(super) fn here() -> String {
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let command = if cfg!(target_os = "macos") {
        Some("brew install postgresql@17".to_owned())
    } else {
        command(&os_release, Path::new("/home/linuxbrew/.linuxbrew/bin/brew").exists())
    };
    match command {
        Some(command) if command.starts_with("brew") || nix::unistd::geteuid().is_root() => {
            format!("run `{command}`")
        }
        Some(command) => format!("run `sudo sh -c '{command}'`"),
        None => "see https://www.postgresql.org/download/".to_owned(),
    }
}

/// From the text of os-release(5). Distributions whose own PostgreSQL is older than 15 need the project's
/// repository (Debian, Ubuntu) or another module (Red Hat).
fn command(os_release: &str, brew: bool) -> Option<String> {
    let field = |name: &str| {
        let value = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches('"').to_owned()
    };
    let (id, like) = (field("ID"), field("ID_LIKE"));
    let is = |name: &str| id == name || like.split(' ').any(|like| like == name);
    let version: u32 =
        field("VERSION_ID").split('.').next().and_then(|major| major.parse().ok()).unwrap_or(u32::MAX);
    let command = if is("debian") {
        if (id == "debian" && version < 12) || (id == "ubuntu" && version < 23) {
            "apt-get update && apt-get install -y postgresql-common \
             && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y && apt-get install -y postgresql-17"
        } else {
            "apt-get update && apt-get install -y postgresql"
        }
    } else if is("rhel") && version < 10 {
        "dnf module install -y postgresql:16/server"
    } else if is("fedora") {
        "dnf install -y postgresql-server"
    } else if is("suse") || is("opensuse") {
        "zypper install -y postgresql-server"
    } else if is("alpine") {
        "apk add postgresql"
    } else if is("arch") {
        "pacman -Sy --needed --noconfirm postgresql"
    } else if brew {
        "brew install postgresql@17"
    } else {
        return None;
    };
    Some(command.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(os_release: &str, expected: &str) {
        let command = command(os_release, false).unwrap_or_default();
        assert!(command.contains(expected), "{command}");
    }

    #[test]
    fn each_family_has_its_command() {
        says("ID=debian\nVERSION_ID=\"12\"\n", "apt-get install -y postgresql");
        says("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22\"\n", "apt-get install -y postgresql");
        says("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\n", "apt.postgresql.org.sh");
        says("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n", "dnf module install");
        says("ID=fedora\nVERSION_ID=42\n", "dnf install -y postgresql-server");
        says("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", "zypper");
        says("ID=alpine\nVERSION_ID=3.22.1\n", "apk add");
        says("NAME=\"Arch Linux\"\nID=arch\n", "pacman");
    }

    #[test]
    fn an_unknown_system_gets_brew_or_nothing() {
        assert_eq!(command("ID=plan9\n", true).as_deref(), Some("brew install postgresql@17"));
        assert_eq!(command("", false), None);
    }
}
