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
    /// Messages that failed permanently and that nobody has decided about; `None` if another host reports it.
    pub failed: Option<i64>,
}

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
        if let Some(failed) = self.failed {
            let help = "Messages of all lanes that failed permanently and were neither redriven nor discarded, among the \
                        last 10,000 failures; reported by the host that holds lane 0";
            to.one("failed_messages_open", help, failed as f64)?;
        }
        Ok(())
    }
}
