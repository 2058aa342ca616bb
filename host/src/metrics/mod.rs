//! The numbers that a monitoring system reads: counters of this host, in the OpenMetrics text format.
//!
//! Names start with `hookswitch_`, units are seconds and bytes. Labels are bounded: never an event, a person, or the number
//! of a person. Nothing here reads or waits for anything.

use prometheus_client::{
    collector::Collector,
    encoding::text::{encode_eof, encode_registry},
    metrics::info::Info,
    registry::Registry,
};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const PREFIX: &str = "hookswitch";

/// All metrics of this host.
#[derive(Debug)]
pub struct Metrics {
    ours: Registry,
    /// Names that all programs share, such as `process_cpu_seconds_total`.
    common: Registry,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut ours = Registry::with_prefix(PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "Version of the program", build);
        Metrics { ours, common: Registry::default() }
    }
}

impl Metrics {
    /// Adds metrics whose names have no prefix. They are read at each scrape.
    pub fn add_common(&mut self, collector: impl Collector) {
        self.common.register_collector(Box::new(collector));
    }

    /// The metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// If a metric cannot be written.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.ours)?;
        encode_registry(&mut text, &self.common)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}
