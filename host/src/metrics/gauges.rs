//! The state of this host and of its lanes at the moment of a scrape. Each host reports the lanes that it holds, so that a
//! sum over hosts counts nothing twice.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// What a host has in memory.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The live release of the rules.
    pub release: String,
    /// Whether the files on disk are what is live.
    pub is_loaded: bool,
    /// When rules last went live, in Unix time.
    pub loaded_at: f64,
    /// Number of lanes that this host holds.
    pub lanes: usize,
    /// Meta's limit of users in 24 hours; `None` if it is unlimited or unknown.
    pub daily_limit: Option<u32>,
    /// Each template, and whether Meta has approved a version of it.
    pub templates: Vec<(String, bool)>,
    /// What plugins have used since the host started.
    pub plugins: Vec<PluginUse>,
    /// The state at Meta, in Meta's word, of the version of each template that has the text of the rules.
    pub template_states: Vec<(String, String)>,
    /// Connections to PostgreSQL.
    pub connections: Vec<Connections>,
}

/// Connections to PostgreSQL for one kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// What they are for: `work`, `lanes`, `incoming` or `requests`.
    pub share: &'static str,
    /// Number of those in use.
    pub used: usize,
    /// Number of those that are open and not in use.
    pub idle: usize,
    /// Maximum number.
    pub max: usize,
    /// Number of tasks that wait for one.
    pub waiting: usize,
}

/// What the host that holds lane 0 finds out every few minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supervised {
    /// Number of findings of the check, by severity; empty until the first check has ended.
    pub findings: Vec<(&'static str, usize)>,
    /// Each sending number, by Meta's id, with the quality that Meta says, in lower case.
    pub qualities: Vec<(String, &'static str)>,
    /// Number of users that were messaged in 24 hours outside their windows; `None` if it is not known.
    pub daily_users: Option<i64>,
}

/// What a plugin has used since the host started.
#[derive(Clone, Debug, Default)]
pub struct PluginUse {
    /// Its id.
    pub id: String,
    /// Number of calls.
    pub calls: u64,
    /// Number of failed calls.
    pub failures: u64,
    /// Total running time, in seconds.
    pub seconds: f64,
    /// Whether it failed so often that it is not called.
    pub is_parked: bool,
}

/// What waits in the lanes of a host, and what of all lanes the host reports that holds lane 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backlog {
    /// Events that are not routed yet.
    pub events: i64,
    /// Age of the oldest of them, in seconds; 0 if there is none.
    pub events_oldest: f64,
    /// Messages that wait, by reason.
    pub messages: Vec<(&'static str, i64)>,
    /// By priority, how long the oldest message has been due, in seconds; 0 if there is none.
    pub messages_oldest: Vec<(&'static str, f64)>,
    /// Messages whose delivery could not be confirmed.
    pub unknown: i64,
    /// What is said of all lanes; `None` if another host reports it.
    pub all: Option<OfAll>,
}

/// What the host that holds lane 0 says of all lanes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfAll {
    /// Messages that failed permanently and that nobody has decided about.
    pub failed: i64,
    /// Events that wait for each plugin that is live or that has any.
    pub parked: Vec<(String, i64)>,
    /// Age of the oldest transaction in PostgreSQL, of whichever client, in seconds; 0 if there is none.
    pub oldest_transaction: f64,
    /// What was found out lately.
    pub supervised: Supervised,
}

/// The words of Meta's for the quality of a number, in lower case; others are `unknown`.
pub const QUALITIES: [&str; 4] = ["green", "yellow", "red", "unknown"];

/// Writes both; without a backlog, only the state.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) state: State,
    pub(super) backlog: Option<Backlog>,
}

/// Writes families of gauges.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn one(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn each<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (&'a str, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value_of_label, value) in values {
            ConstGauge::new(value).encode(family.encode_family(&[(label, value_of_label)])?)?;
        }
        Ok(())
    }
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.state.encode(&mut writer)?;
        match &self.backlog {
            Some(backlog) => backlog.encode(&mut writer),
            None => Ok(()),
        }
    }
}

impl State {
    fn encode(&self, to: &mut Writer<'_>) -> fmt::Result {
        let help = "The release that is live";
        let mut family = to.0.encode_descriptor("rules_release_info", help, None, MetricType::Gauge)?;
        ConstGauge::new(1_i64).encode(family.encode_family(&[("release", self.release.as_str())])?)?;
        let help = "0 if the files on disk have errors and older rules stay live";
        to.one("rules_last_load_successful", help, f64::from(u8::from(self.is_loaded)))?;
        let help = "When rules last went live, in Unix time";
        to.one("rules_last_load_success_timestamp_seconds", help, self.loaded_at)?;
        to.one("lanes_held", "Number of lanes that this host holds, of 64", self.lanes as f64)?;
        let help = "Meta's limit of users in 24 hours; 0 if it is unlimited or unknown";
        to.one("number_daily_users_limit", help, f64::from(self.daily_limit.unwrap_or(0)))?;
        let help = "1 if Meta has approved a version of the template whose text is known";
        let templates = self.templates.iter().map(|(name, usable)| (name.as_str(), u8::from(*usable).into()));
        to.each("template_usable", help, "template", templates)?;
        let help = "1 for the state at Meta, in Meta's word, of the version of a template that has the text of the rules";
        let mut states = to.0.encode_descriptor("template_state", help, None, MetricType::Gauge)?;
        for (template, state) in &self.template_states {
            let labels = [("template", template.as_str()), ("state", state.as_str())];
            ConstGauge::new(1_i64).encode(states.encode_family(&labels)?)?;
        }
        self.encode_connections(to)?;
        let help = "1 if the plugin failed 5 times in a row and is not called";
        let parked =
            self.plugins.iter().map(|plugin| (plugin.id.as_str(), u8::from(plugin.is_parked).into()));
        to.each("plugin_parked", help, "plugin", parked)?;
        let help = "Calls of plugins, by result";
        let mut calls = to.0.encode_descriptor("plugin_calls", help, None, MetricType::Counter)?;
        for plugin in &self.plugins {
            let ok = plugin.calls.saturating_sub(plugin.failures);
            for (result, n) in [("ok", ok), ("failed", plugin.failures)] {
                let labels = [("plugin", plugin.id.as_str()), ("result", result)];
                ConstCounter::new(n).encode(calls.encode_family(&labels)?)?;
            }
        }
        let help = "Time that the calls of a plugin took";
        let mut seconds = to.0.encode_descriptor("plugin_call_seconds", help, None, MetricType::Counter)?;
        for plugin in &self.plugins {
            ConstCounter::new(plugin.seconds)
                .encode(seconds.encode_family(&[("plugin", plugin.id.as_str())])?)?;
        }
        Ok(())
    }
}

impl State {
    fn encode_connections(&self, to: &mut Writer<'_>) -> fmt::Result {
        let help = "Connections of this host to PostgreSQL, by what they are for and whether they are in use";
        let mut open = to.0.encode_descriptor("database_connections", help, None, MetricType::Gauge)?;
        for Connections { share, used, idle, .. } in &self.connections {
            for (state, n) in [("used", used), ("idle", idle)] {
                ConstGauge::new(*n as f64)
                    .encode(open.encode_family(&[("share", *share), ("state", state)])?)?;
            }
        }
        let of = |value: fn(&Connections) -> usize| {
            self.connections.iter().map(move |connections| (connections.share, value(connections) as f64))
        };
        let help = "Maximum number of connections of this host to PostgreSQL, by what they are for";
        to.each("database_connections_max", help, "share", of(|connections| connections.max))?;
        let help = "Tasks of this host that wait for a connection to PostgreSQL, by what it is for";
        to.each("database_connections_awaited", help, "share", of(|connections| connections.waiting))
    }
}

impl Backlog {
    fn encode(&self, to: &mut Writer<'_>) -> fmt::Result {
        let help = "Events of this host's lanes that are not routed yet, counted up to 1,000 per lane";
        to.one("events_waiting", help, self.events as f64)?;
        let help = "Age of the oldest event of this host's lanes that is not routed yet; 0 if there is none";
        to.one("events_oldest_age_seconds", help, self.events_oldest)?;
        let help = "Messages of this host's lanes that wait, by reason, counted up to 1,000 per lane and priority; \
                    queued: nothing was done about it yet";
        let waiting = self.messages.iter().map(|(reason, n)| (*reason, *n as f64));
        to.each("messages_waiting", help, "reason", waiting)?;
        let help = "How long the oldest message of this host's lanes has been due without being accepted by Meta, by \
                    priority; 0 if there is none";
        to.each("messages_oldest_age_seconds", help, "priority", self.messages_oldest.iter().copied())?;
        let help = "Messages of this host's lanes whose delivery could not be confirmed";
        to.one("unknown_messages", help, self.unknown as f64)?;
        self.all.as_ref().map_or(Ok(()), |all| all.encode(to))
    }
}

impl OfAll {
    fn encode(&self, to: &mut Writer<'_>) -> fmt::Result {
        let help = "Messages of all lanes that failed permanently and were neither redriven nor discarded, among the last \
                    10,000 failures; reported by the host that holds lane 0";
        to.one("failed_messages_open", help, self.failed as f64)?;
        let help = "Events of all lanes that wait for a plugin that failed on them, counted up to 10,000; reported by the \
                    host that holds lane 0";
        let parked = self.parked.iter().map(|(plugin, n)| (plugin.as_str(), *n as f64));
        to.each("plugin_parked_events", help, "plugin", parked)?;
        let help = "Age of the oldest transaction in PostgreSQL that this role can see, of whichever client; 0 if there \
                    is none; reported by the host that holds lane 0";
        to.one("database_oldest_transaction_seconds", help, self.oldest_transaction)?;
        let Supervised { findings, qualities, daily_users } = &self.supervised;
        let help = "Findings of `hookswitch check` by severity, as of at most 10 minutes ago; reported by the host that \
                    holds lane 0";
        let found = findings.iter().map(|(severity, n)| (*severity, *n as f64));
        to.each("check_findings", help, "severity", found)?;
        let help = "1 for the quality that Meta says a number has; reported by the host that holds lane 0";
        let mut family = to.0.encode_descriptor("number_quality", help, None, MetricType::Gauge)?;
        for (number, is) in qualities {
            for quality in QUALITIES {
                let labels = [("number", number.as_str()), ("quality", quality)];
                let value = i64::from(quality == *is);
                ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Users that were messaged in 24 hours outside their windows, as of at most 10 minutes ago; reported by \
                    the host that holds lane 0";
        let gauge = to.0.encode_descriptor("number_daily_users", help, None, MetricType::Gauge)?;
        if let Some(users) = daily_users {
            ConstGauge::new(*users as f64).encode(gauge)?;
        }
        Ok(())
    }
}
