//! Where a host is reached.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::AppError;
use crate::config::Config;

/// The sockets of a host. They are taken before anything else is started, so that a second host is told at once.
pub struct Listeners {
    /// For events and webhooks.
    pub public: TcpListener,
    /// For operators, unless that is off.
    pub admin: Option<TcpListener>,
}

impl Listeners {
    /// Takes the sockets that the settings name.
    ///
    /// # Errors
    /// If an address is taken, or does not belong to this machine.
    pub async fn bind(config: &Config) -> Result<Listeners, AppError> {
        let public = listen(config.listen, "--listen, HOOKSWITCH_LISTEN").await?;
        let admin = match config.admin.listen {
            Some(address) => {
                Some(listen(address, "--admin-listen, HOOKSWITCH_ADMIN_LISTEN; off for none").await?)
            }
            None => None,
        };
        Ok(Listeners { public, admin })
    }
}

async fn listen(address: SocketAddr, setting: &'static str) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).await.map_err(|source| AppError::Listen { address, setting, source })
}
