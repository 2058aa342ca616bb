//! What the simulator pretends to be.

use super::Knobs;

/// The account that the simulator pretends to be, and how it behaves.
#[derive(Clone)]
pub struct Settings {
    /// Meta's id of the sending number.
    pub phone_number_id: String,
    /// More sending numbers by their ids, with what they are in digits.
    pub more_numbers: Vec<(String, String)>,
    /// The sending number in digits, as Meta shows it in webhooks.
    pub display_phone_number: String,
    /// The business's name, as Meta has verified it.
    pub verified_name: String,
    /// Meta's id of the WhatsApp Business Account.
    pub waba_id: String,
    /// The token that requests must bear.
    pub access_token: String,
    /// Signs the webhooks.
    pub app_secret: String,
    /// Shown to the host when its webhook address is verified.
    pub verify_token: String,
    /// Where webhooks are posted; none are without it.
    pub webhook_url: Option<String>,
    /// Meta's word for how many users may be written to in 24 hours outside their windows.
    pub messaging_limit: String,
    /// What can be changed while it runs.
    pub knobs: Knobs,
    /// What cannot.
    pub limits: Limits,
    /// Makes the faults of the knobs fall the same way each time; message ids stay unique all the same.
    pub seed: Option<u64>,
}

impl Default for Settings {
    /// The demo's account. The ids are those of Meta's own examples.
    fn default() -> Self {
        Settings {
            phone_number_id: "106540352242922".into(),
            more_numbers: Vec::new(),
            display_phone_number: "15550783881".into(),
            verified_name: "Hookswitch Demo".into(),
            waba_id: "102290129340398".into(),
            access_token: "simulator-access-token".into(),
            app_secret: "simulator-app-secret".into(),
            verify_token: "simulator-verify-token".into(),
            webhook_url: None,
            messaging_limit: "TIER_UNLIMITED".into(),
            knobs: Knobs::default(),
            limits: Limits::default(),
            seed: None,
        }
    }
}

impl Settings {
    /// A sending number in digits, by its id; `None` where there is no such number.
    pub fn number(&self, phone_number_id: &str) -> Option<&str> {
        if phone_number_id == self.phone_number_id {
            return Some(&self.display_phone_number);
        }
        let more = self.more_numbers.iter().find(|(id, _)| id == phone_number_id);
        more.map(|(_, digits)| digits.as_str())
    }

    /// The environment with which a host takes this account for its own.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("WHATSAPP_PHONE_NUMBER_ID", self.phone_number_id.clone()),
            ("WHATSAPP_ACCESS_TOKEN", self.access_token.clone()),
            ("WHATSAPP_APP_SECRET", self.app_secret.clone()),
            ("WHATSAPP_VERIFY_TOKEN", self.verify_token.clone()),
        ]
    }
}

/// Meta's limits on sending, and the simulator's own on memory.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Messages per second of the number; over it 130429. `None` lifts the limit.
    pub messages_per_second: Option<u32>,
    /// Meta's limit to one recipient: 45 at once, then one in 6 seconds; over it 131056.
    pub pair: bool,
    /// How many messages are kept to be listed; older ones are forgotten.
    pub keep_messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { messages_per_second: Some(80), pair: true, keep_messages: 200_000 }
    }
}

impl Limits {
    /// No limit on sending.
    pub fn unlimited() -> Self {
        Limits { messages_per_second: None, pair: false, ..Limits::default() }
    }
}
