//! The address of a host.

use std::net::SocketAddr;

use clap::Args;

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
