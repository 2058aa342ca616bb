//! One message that stands for those of a bucket: somebody who sees a slow one can look it up.

use hookswitch_core::domain::NotificationId;
use prometheus_client::metrics::{exemplar::HistogramWithExemplars, family::Family};

/// The trace of the message, or else its id, for `hookswitch explain`.
pub(super) type Exemplar = [(&'static str, String); 1];

/// Histograms that name a message in each bucket.
pub(super) type Delays<L> =
    Family<L, HistogramWithExemplars<Exemplar>, fn() -> HistogramWithExemplars<Exemplar>>;

/// Histograms with the usual buckets of waits.
pub(super) fn delays<L: Clone + std::hash::Hash + Eq>() -> Delays<L> {
    Family::new_with_constructor(|| HistogramWithExemplars::new(super::WAITS.into_iter()))
}

/// Names a message.
pub(super) fn of(trace: Option<&str>, id: NotificationId) -> Exemplar {
    match trace {
        Some(trace) => [("trace_id", trace.to_owned())],
        None => [("notification_id", id.to_string())],
    }
}
