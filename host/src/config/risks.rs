//! Risks of settings that are valid.

use std::net::IpAddr;

use tokio_postgres::config::{Host, SslMode};

use super::Config;

/// Settings with secrets. As flags they are visible to other users in the list of processes.
const SECRET_FLAGS: [&str; 4] =
    ["--database-url", "--whatsapp-access-token", "--whatsapp-app-secret", "--whatsapp-verify-token"];

impl Config {
    /// Risks of the settings, which do not keep the service from starting. `arguments` are the process's.
    pub fn risks(&self, arguments: impl Iterator<Item = String>) -> Vec<String> {
        let shown = |name: &'static str| {
            format!(
                "{name} is visible to every user of this machine in the list of processes; set it in the environment"
            )
        };
        let mut risks: Vec<String> = secret_flags(arguments).map(shown).collect();
        let url = &self.whatsapp.whatsapp_api_url;
        let is_plain = reqwest::Url::parse(url).is_ok_and(|url| url.scheme() == "http");
        if is_plain && !names_this_machine(url) {
            risks.push(
                "WHATSAPP_API_URL is an http URL of another machine: the access token is sent unencrypted"
                    .to_owned(),
            );
        }
        let database = self.database.database_url.as_ref().and_then(|url| url.expose().parse().ok());
        if database.is_some_and(|database: tokio_postgres::Config| may_be_unencrypted(&database)) {
            risks.push(
                "DATABASE_URL names another machine without requiring encryption; add sslmode=require"
                    .to_owned(),
            );
        }
        risks
    }
}

/// Whether a URL names this machine.
pub(super) fn names_this_machine(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| url.host_str().is_some_and(is_local))
}

/// The flags with secrets among arguments.
fn secret_flags(arguments: impl Iterator<Item = String>) -> impl Iterator<Item = &'static str> {
    arguments.filter_map(|argument| {
        let name = argument.split('=').next()?;
        SECRET_FLAGS.into_iter().find(|flag| *flag == name)
    })
}

/// Whether a host name or address is this machine.
fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn may_be_unencrypted(database: &tokio_postgres::Config) -> bool {
    let elsewhere = |host: &Host| matches!(host, Host::Tcp(host) if !is_local(host));
    database.get_hosts().iter().any(elsewhere) && database.get_ssl_mode() != SslMode::Require
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn only_unencrypted_connections_to_other_machines_are_a_risk() {
        for (url, risky) in [
            ("postgresql://a@db.example/x", true),
            ("postgresql://a@db.example/x?sslmode=disable", true),
            ("postgresql://a@127.0.0.1,db.example/x", true),
            ("postgresql://a@db.example/x?sslmode=require", false),
            ("postgresql://a@localhost/x", false),
            ("postgresql://a@[::1]/x", false),
            ("postgresql:///x?host=/run/postgresql", false),
        ] {
            assert_eq!(may_be_unencrypted(&url.parse().unwrap()), risky, "{url}");
        }
        assert!(
            is_local("127.0.0.2") && is_local("[::1]") && !is_local("10.0.0.1") && !is_local("graph.example")
        );
    }

    #[test]
    fn secrets_among_arguments_are_seen() {
        let arguments = ["hookswitch", "serve", "--listen", "--whatsapp-app-secret", "s", "--database-url=x"];
        let flags: Vec<&str> = secret_flags(arguments.into_iter().map(str::to_owned)).collect();
        assert_eq!(flags, ["--whatsapp-app-secret", "--database-url"]);
    }
}
