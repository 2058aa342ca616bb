//! The addresses of a host.

use std::net::SocketAddr;

use clap::Args;
use reqwest::Url;

/// Where a host listens.
#[derive(Args, Clone, Debug)]
pub struct ListenConfig {
    /// Address and port that the host listens on, for events and webhooks
    #[arg(long, value_name = "ADDRESS", env = "HOOKSWITCH_LISTEN", default_value = "127.0.0.1:8420")]
    listen: String,
}

impl ListenConfig {
    /// The address, checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn address(&self) -> Result<SocketAddr, String> {
        self.listen.parse().map_err(|_| {
            format!(
                "--listen (HOOKSWITCH_LISTEN): expected an address and a port, for example 127.0.0.1:8420, got {:?}",
                self.listen
            )
        })
    }
}

/// Where a host serves its operators.
#[derive(Args, Clone, Debug)]
pub struct AdminArgs {
    /// Address and port for operators: the console and /metrics; off for none
    ///
    /// A listener of its own, so that a proxy in front of --listen never publishes it. Two hosts on one machine
    /// need two addresses.
    #[arg(long, value_name = "ADDRESS", env = "HOOKSWITCH_ADMIN_LISTEN", default_value = "127.0.0.1:8422")]
    admin_listen: String,

    /// URL of the admin listener, if it is opened from another machine
    ///
    /// With its scheme, http or https. Requests that name any other host are refused, except for /metrics.
    #[arg(
        long,
        value_name = "URL",
        env = "HOOKSWITCH_ADMIN_URL",
        default_value = "",
        hide_default_value = true
    )]
    admin_url: String,
}

/// The admin listener, checked.
#[derive(Clone, Debug, Default)]
pub struct AdminConfig {
    /// The address and port to listen on; `None` if it is off.
    pub listen: Option<SocketAddr>,
    /// Its URL, if it is opened from another machine.
    pub url: Option<Url>,
}

impl AdminArgs {
    /// The settings, checked; everything that is wrong with them goes to `wrong`.
    pub fn checked(&self, wrong: &mut Vec<String>) -> AdminConfig {
        let listen = match self.admin_listen.as_str() {
            "off" => None,
            address => address.parse().map(Some).unwrap_or_else(|_| {
                wrong.push(format!(
                    "--admin-listen (HOOKSWITCH_ADMIN_LISTEN): expected an address and a port, for example \
                     127.0.0.1:8422, or off, got {address:?}"
                ));
                None
            }),
        };
        let is_plain = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let url = match self.admin_url.as_str() {
            "" => None,
            text => Url::parse(text).ok().filter(is_plain).or_else(|| {
                wrong.push(format!(
                    "--admin-url (HOOKSWITCH_ADMIN_URL): expected a URL without a path, for example \
                     https://hookswitch.example.org, got {text:?}"
                ));
                None
            }),
        };
        AdminConfig { listen, url }
    }
}
