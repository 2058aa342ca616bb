//! The numbers that a monitoring system reads: counters of this host, in the OpenMetrics text format.
//!
//! Names start with `hookswitch_`, units are seconds and bytes. Labels are bounded: never an event, a person, or the number
//! of a person. Counters are atomics that the rooms count in, a batch at a time where there are batches. Nothing here reads
//! or waits for anything: what must be looked up for a scrape is handed in ([`State`], [`Backlog`]).

mod bounded;
mod database;
mod dispatch;
mod exemplar;
mod gauges;
mod intake;
mod receipts;
mod routing;
mod totals;
mod types;

use prometheus_client::{
    collector::Collector,
    encoding::text::{encode_eof, encode_registry},
    metrics::{counter::Counter, info::Info},
    registry::Registry,
};

use self::gauges::Snapshot;
pub use self::{
    database::DatabaseMetrics,
    dispatch::{DispatchMetrics, NumberMetrics},
    gauges::{Backlog, Connections, OfAll, PluginUse, QUALITIES, State, Supervised},
    intake::IntakeMetrics,
    receipts::{ReceiptMetrics, Reported},
    routing::{RoutingCounts, RoutingMetrics},
    totals::{TemplateCounts, Totals},
};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const PREFIX: &str = "hookswitch";

/// Buckets of waits, in seconds: from what one phone takes to what only a person can end.
const WAITS: [f64; 14] =
    [0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];

/// All metrics of this host.
#[derive(Debug)]
pub struct Metrics {
    /// Counted when events come in.
    pub intake: IntakeMetrics,
    /// Counted when events are decided.
    pub routing: RoutingMetrics,
    /// Counted when messages are sent.
    pub dispatch: DispatchMetrics,
    /// Counted when Meta reports.
    pub receipts: ReceiptMetrics,
    /// What charts show of them.
    pub totals: Totals,
    read_failures: Counter,
    ours: Registry,
    /// Names that all programs share, such as `process_cpu_seconds_total`.
    common: Registry,
}

impl Metrics {
    /// Metrics of a host with this database.
    pub fn new(database: &DatabaseMetrics) -> Metrics {
        let totals = Totals::default();
        let routing = RoutingMetrics::with(totals.clone());
        let mut metrics = Metrics {
            intake: IntakeMetrics::with(totals.clone()),
            dispatch: DispatchMetrics::with(totals.clone(), routing.not_sent()),
            routing,
            receipts: ReceiptMetrics::with(totals.clone()),
            totals,
            read_failures: Counter::default(),
            ours: Registry::with_prefix(PREFIX),
            common: Registry::default(),
        };
        let ours = &mut metrics.ours;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "Version of the program", build);
        metrics.intake.register(ours);
        metrics.routing.register(ours);
        metrics.dispatch.register(ours);
        metrics.receipts.register(ours);
        database.register(ours);
        ours.register(
            "metrics_read_failures",
            "Scrapes without what waits, because PostgreSQL did not answer",
            metrics.read_failures.clone(),
        );
        metrics
    }

    /// Adds metrics whose names have no prefix. They are read at each scrape.
    pub fn add_common(&mut self, collector: impl Collector) {
        self.common.register_collector(Box::new(collector));
    }

    /// Counts a scrape without a backlog.
    pub fn read_failed(&self) {
        self.read_failures.inc();
    }

    /// The metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// If a metric cannot be written.
    pub fn text(&self, state: State, backlog: Option<Backlog>) -> Result<String, std::fmt::Error> {
        let mut now = Registry::with_prefix(PREFIX);
        now.register_collector(Box::new(Snapshot { state, backlog }));
        let mut text = String::new();
        for registry in [&self.ours, &now, &self.common] {
            encode_registry(&mut text, registry)?;
        }
        encode_eof(&mut text)?;
        Ok(text)
    }
}
