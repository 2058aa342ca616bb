//! Where traces go, by the names that OpenTelemetry has set.

use clap::Args;
use reqwest::Url;

use super::Secret;

/// Where traces go.
#[derive(Args, Clone, Debug)]
pub struct TracesArgs {
    /// URL of an OpenTelemetry collector that takes OTLP over HTTP, for traces; none are sent without it
    ///
    /// For example http://127.0.0.1:4318. The path /v1/traces is added, and the spans are sent as JSON.
    #[arg(
        long,
        value_name = "URL",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        default_value = "",
        hide_default_value = true
    )]
    otlp_endpoint: String,

    /// Headers for the collector, for example authorization=Bearer%20TOKEN; several are separated by commas
    #[arg(
        long,
        value_name = "HEADERS",
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    otlp_headers: Secret,

    /// Name of this service in traces
    #[arg(long, value_name = "NAME", env = "OTEL_SERVICE_NAME", default_value = "hookswitch")]
    otlp_service_name: String,

    /// Share of the events without a trace of their own that get one, from 0 to 1
    #[arg(long, value_name = "SHARE", env = "OTEL_TRACES_SAMPLER_ARG", default_value = "1")]
    otlp_share: String,
}

/// Where traces go, checked.
#[derive(Clone, Debug)]
pub struct TracesConfig {
    /// The URL that spans are posted to.
    pub url: Url,
    /// Names and values of further headers.
    pub headers: Vec<(String, Secret)>,
    /// The name of this service.
    pub service: String,
    /// The share of events without a trace of their own that get one.
    pub share: f64,
}

impl TracesArgs {
    /// The settings, checked; everything that is wrong with them goes to `wrong`. `None` if no traces are sent.
    pub fn checked(&self, wrong: &mut Vec<String>) -> Option<TracesConfig> {
        if self.otlp_endpoint.is_empty() {
            return None;
        }
        let url = Url::parse(&self.otlp_endpoint).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        });
        if url.is_none() {
            wrong.push(format!(
                "--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT): expected a URL, for example http://127.0.0.1:4318, got \
                 {:?}",
                self.otlp_endpoint
            ));
        }
        let share = self.otlp_share.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() {
            wrong.push(format!(
                "--otlp-share (OTEL_TRACES_SAMPLER_ARG): expected a number from 0 to 1, got {:?}",
                self.otlp_share
            ));
        }
        let headers = headers(self.otlp_headers.expose());
        if headers.is_none() {
            wrong.push(
                "--otlp-headers (OTEL_EXPORTER_OTLP_HEADERS): expected NAME=VALUE, several separated by commas"
                    .to_owned(),
            );
        }
        let mut url = url?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "traces"]);
        }
        Some(TracesConfig { url, headers: headers?, service: self.otlp_service_name.clone(), share: share? })
    }
}

/// Names and values, which are percent-encoded.
fn headers(text: &str) -> Option<Vec<(String, Secret)>> {
    let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
    members
        .map(|member| {
            let (name, value) = member.split_once('=')?;
            let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?;
            reqwest::header::HeaderName::try_from(name.trim()).ok()?;
            reqwest::header::HeaderValue::try_from(value.as_ref()).ok()?;
            Some((name.trim().to_owned(), Secret::from(value.into_owned())))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn arguments(endpoint: &str, headers: &str, share: &str) -> TracesArgs {
        TracesArgs {
            otlp_endpoint: endpoint.to_owned(),
            otlp_headers: Secret::from(headers.to_owned()),
            otlp_service_name: "hookswitch".to_owned(),
            otlp_share: share.to_owned(),
        }
    }

    #[test]
    fn traces_go_to_the_path_of_the_standard() {
        for (endpoint, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otel.example.org/in/", "https://otel.example.org/in/v1/traces"),
        ] {
            let config = arguments(endpoint, "authorization=Bearer%20x, b=2", "0.5");
            let config = config.checked(&mut Vec::new()).unwrap();
            let headers: Vec<_> =
                config.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
            assert_eq!((config.url.as_str(), config.share), (url, 0.5));
            assert_eq!(headers, [("authorization", "Bearer x"), ("b", "2")]);
        }
        assert!(arguments("", "", "1").checked(&mut Vec::new()).is_none());
    }

    #[test]
    fn all_that_is_wrong_is_said() {
        let mut wrong = Vec::new();
        assert!(arguments("localhost:4318", "x", "2").checked(&mut wrong).is_none());
        assert_eq!(wrong.len(), 3, "{wrong:?}");
    }
}
