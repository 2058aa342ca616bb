//! The Cloud API and the business account.

use clap::Args;
use hookswitch_core::domain::Senders;

use super::Secret;

/// The WhatsApp Cloud API, checked.
#[derive(Clone, Debug)]
pub struct WhatsappConfig {
    /// The Cloud API's base URL, with its version and without a trailing slash.
    pub whatsapp_api_url: String,
    /// Meta's ids of the sending numbers.
    pub whatsapp_phone_number_id: Senders,
    /// Meta's id of the WhatsApp Business Account that holds the templates.
    pub whatsapp_business_account_id: Option<String>,
    /// The access token.
    pub whatsapp_access_token: Secret,
    /// The app secret, with which Meta signs webhooks.
    pub whatsapp_app_secret: Secret,
    /// The token that Meta sends to verify the webhook's URL.
    pub whatsapp_verify_token: Secret,
    /// The maximum number of messages per second, per number, across all hosts.
    pub whatsapp_messages_per_second: u32,
}

/// The WhatsApp Business Account, for what is managed there.
#[derive(Args, Clone, Debug)]
pub struct AccountConfig {
    /// Base URL of the Cloud API, with its version
    #[arg(
        long,
        value_name = "URL",
        env = "WHATSAPP_API_URL",
        default_value = "https://graph.facebook.com/v25.0"
    )]
    pub whatsapp_api_url: String,

    /// Meta's id of the WhatsApp Business Account (WhatsApp Manager, Account settings)
    #[arg(long, env = "WHATSAPP_BUSINESS_ACCOUNT_ID", value_name = "ID", value_parser = account_id)]
    pub whatsapp_business_account_id: String,

    /// Access token with the permission whatsapp_business_management
    #[arg(long, value_name = "TOKEN", env = "WHATSAPP_ACCESS_TOKEN", hide_env_values = true)]
    pub whatsapp_access_token: Secret,
}

/// The Cloud API and the token, for what needs no business account.
#[derive(Args, Clone, Debug)]
pub struct CloudConfig {
    /// Base URL of the Cloud API, with its version
    #[arg(
        long,
        value_name = "URL",
        env = "WHATSAPP_API_URL",
        default_value = "https://graph.facebook.com/v25.0"
    )]
    pub whatsapp_api_url: String,

    /// Access token of the Cloud API
    #[arg(long, value_name = "TOKEN", env = "WHATSAPP_ACCESS_TOKEN", hide_env_values = true)]
    pub whatsapp_access_token: Secret,
}

/// Meta's id of a business account: digits.
pub(super) fn account_id(id: &str) -> Result<String, String> {
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    is_id.then(|| id.to_owned()).ok_or_else(|| "must be digits only".to_owned())
}
