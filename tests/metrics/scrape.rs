//! What a monitoring system reads, as it reads it.

use std::collections::BTreeMap;

use crate::harness::{Host, http};

/// A scrape of a host in the OpenMetrics text format.
pub struct Scrape {
    /// Values by series, such as `up{job="x"}`.
    series: BTreeMap<String, f64>,
    /// Types by family.
    types: BTreeMap<String, String>,
    /// Exemplars by series, such as `trace_id="…"`.
    exemplars: BTreeMap<String, String>,
}

impl Scrape {
    pub async fn of(host: &Host) -> Scrape {
        Scrape::from(&host.admin_url()).await
    }

    pub async fn from(admin: &str) -> Scrape {
        let answer = http().get(format!("{admin}/metrics")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Scrape::parse(&answer.text().await.unwrap())
    }

    /// Reads the text, and holds it against the rules of the format that matter to us.
    pub fn parse(text: &str) -> Scrape {
        assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
        let (mut series, mut types) = (BTreeMap::new(), BTreeMap::<String, String>::new());
        let mut exemplars = BTreeMap::new();
        let mut family = String::new();
        for line in text.lines().filter(|line| *line != "# EOF") {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is there twice");
                family = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                assert!(rest.split_once(' ').is_some_and(|(_, help)| !help.is_empty()), "{line}");
            } else {
                assert!(!line.starts_with('#'), "{line}");
                let (line, exemplar) = line.split_once(" # {").unwrap_or((line, ""));
                let (name, value) = line.rsplit_once(' ').unwrap();
                if let Some((labels, _)) = exemplar.split_once('}') {
                    assert!(name.contains("_bucket{") && labels.len() <= 128, "{name}: {labels}");
                    exemplars.insert(name.to_owned(), labels.to_owned());
                }
                let bare = name.split('{').next().unwrap();
                let suffix =
                    bare.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{line} in {family}"));
                let allowed: &[&str] = match types[&family].as_str() {
                    "counter" => &["_total"],
                    "gauge" => &[""],
                    "info" => &["_info"],
                    "histogram" => &["_bucket", "_sum", "_count"],
                    kind => panic!("{family} is a {kind}"),
                };
                assert!(allowed.contains(&suffix), "{line}");
                let known = series.insert(name.to_owned(), value.parse().unwrap());
                assert!(known.is_none(), "{name} is there twice");
            }
        }
        Scrape { series, types, exemplars }
    }

    /// The sum of all series of a name whose labels contain these.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |series: &str| {
            let (bare, of) = series.split_once('{').unwrap_or((series, ""));
            bare == name && labels.iter().all(|(label, value)| of.contains(&format!("{label}=\"{value}\"")))
        };
        self.series.iter().filter(|(series, _)| has(series)).map(|(_, value)| value).sum()
    }

    /// The exemplars of all series of a name.
    pub fn exemplars(&self, name: &str) -> Vec<&str> {
        let of = self.exemplars.iter().filter(|(series, _)| series.split('{').next() == Some(name));
        of.map(|(_, labels)| labels.as_str()).collect()
    }

    /// Whether there is a series of this name, or could be: plugins have none where there are no plugins.
    pub fn knows(&self, name: &str) -> bool {
        self.has(name) || self.types.contains_key(name.strip_suffix("_total").unwrap_or(name))
    }

    /// Whether there is a series of this name.
    pub fn has(&self, name: &str) -> bool {
        self.series.keys().any(|series| series.split('{').next() == Some(name))
    }

    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// All series, for messages.
    pub fn text(&self) -> String {
        self.series.iter().map(|(series, value)| format!("{series} {value}\n")).collect()
    }
}
