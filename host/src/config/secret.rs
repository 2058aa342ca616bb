//! What is never printed.

use std::fmt;

/// The secrets of the simulator's account unless it is given others. Everybody knows them: with the app secret, webhooks
/// can be forged.
const PUBLIC: [&str; 3] = ["simulator-access-token", "simulator-app-secret", "simulator-verify-token"];

/// A secret: never printed, whatever prints the settings.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is a default of the simulator.
    pub(super) fn is_public(&self) -> bool {
        PUBLIC.contains(&self.0.trim())
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Secret(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Secret(secret.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
