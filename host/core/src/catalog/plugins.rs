//! `plugins/<id>/plugin.yaml` as it is written, and the components beside it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use csv::ReaderBuilder;
use serde_json::{Map, Value};

use super::{
    findings::{Finding, Severity},
    routes::required,
    tree::{Kind, Tree, kind_of},
    yaml::{Fields, Kind as Yaml, Node, parse},
};
use crate::decide::{
    RouteSource, RuleSource, Source,
    plugin::{Allowed, Held, Limits, LoadError, Manifest, OnFailure, Plugin, Sandbox, Table, is_secret_name},
};

pub(super) const KEYS: [&str; 11] = [
    "id",
    "version",
    "contract",
    "on",
    "config",
    "limits",
    "http",
    "lookup",
    "secrets",
    "on_failure",
    "owner",
];
/// Keys of `limits`, and of one table.
pub(super) const LIMIT_KEYS: [&str; 2] = ["time", "memory"];
pub(super) const TABLE_KEYS: [&str; 2] = ["file", "key"];
/// Contract version of this host.
const CONTRACT: &str = "1.0";
const MEBIBYTE: usize = 1024 * 1024;
/// Maximum memory of one table, in bytes, and the overhead of one cell.
const TABLE: usize = 64 * MEBIBYTE;
const CELL: usize = 128;
const BRING_ANOTHER: &str = "rebuild it with smaller functions";

/// Loads the plugins of a tree; returns them by id, with the routes of their manifests.
pub fn plugins(
    tree: &Tree,
    sandbox: Option<&Sandbox>,
    findings: &mut Vec<Finding>,
    warnings: &mut Vec<Finding>,
) -> (BTreeMap<String, Plugin>, Vec<RouteSource>) {
    let mut plugins = BTreeMap::new();
    let mut routes = Vec::new();
    for (path, _) in tree.components.iter() {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !tree.files.contains_key(&format!("{folder}/plugin.yaml")) {
            findings.push(
                Finding::of_file(path.as_str(), "no plugin.yaml beside this component")
                    .help("add one: it names the plugin's events and what it may use (plugins/README.md)"),
            );
        }
    }
    if let Some(sandbox) = sandbox {
        sandbox.prepare(tree.components.values().map(|bytes| &bytes[..]));
    }
    for (path, text) in tree.files.iter().filter(|(path, _)| kind_of(path) == Some(Kind::Plugin)) {
        let before = findings.len();
        let Some(manifest) = manifest(path, text, tree, findings).filter(|_| findings.len() == before) else {
            continue;
        };
        let id = manifest.id.clone();
        let component = format!("plugins/{id}/{id}.wasm");
        let Some(bytes) = tree.components.get(&component) else {
            let what = format!("the plugin {id} is not loaded: {id}.wasm is missing");
            warnings.push(warning(path, what).help(format!("build it: hookswitch plugin build {id}")));
            continue;
        };
        let Some(sandbox) = sandbox else { continue };
        let missing = sandbox.grants().missing(&manifest);
        if !missing.is_empty() {
            let what = format!("the plugin {id} requests more than it is granted");
            let help = format!("to grant it, add to HOOKSWITCH_PLUGIN_GRANTS: {}", missing.join(","));
            warnings.push(warning(path, what).help(help));
        }
        let (on, place) = (manifest.on.clone(), manifest.place.clone());
        match Plugin::load(sandbox, manifest, bytes) {
            Ok(plugin) => {
                match plugin.held() {
                    // Cases run later.
                    None | Some(Held::CasesFail(_)) => {}
                    Some(Held::Compiling) => {
                        let what = format!("the plugin {id} is being compiled; its events wait until then");
                        warnings.push(warning(&component, what));
                    }
                    Some(Held::Refused(why)) => {
                        let what = format!("the plugin {id} cannot be compiled, so it is not called: {why}");
                        warnings.push(warning(&component, what).help(BRING_ANOTHER));
                    }
                }
                plugins.insert(id.clone(), plugin);
                if !on.is_empty() {
                    let rule = RuleSource::Plugin(Source { text: id.clone(), place });
                    routes.push(RouteSource { folder: format!("plugins/{id}"), on, when: None, rule });
                }
            }
            Err(error @ LoadError::Compiling) => {
                warnings.push(warning(&component, format!("the plugin {id} is not loaded yet: {error}")));
            }
            Err(error @ LoadError::Refused(_)) => {
                findings.push(Finding::of_file(component, error.to_string()).help(BRING_ANOTHER));
            }
            Err(error @ LoadError::Invalid(_)) => {
                findings.push(Finding::of_file(component, error.to_string()));
            }
        }
    }
    (plugins, routes)
}

fn warning(path: &str, what: String) -> Finding {
    Finding { severity: Severity::Warning, ..Finding::of_file(path, what) }
}

fn manifest(path: &str, text: &str, tree: &Tree, findings: &mut Vec<Finding>) -> Option<Manifest> {
    let node = match parse(path, text) {
        Ok(Some(node)) => node,
        Ok(None) => {
            findings.push(Finding::of_file(path, "the manifest is empty"));
            return None;
        }
        Err(finding) => {
            findings.push(finding);
            return None;
        }
    };
    let fields = node.fields(&KEYS, findings)?;
    let folder = path.split('/').nth(1).unwrap_or_default();
    let id = required(&fields, "id", findings)?;
    if id.text != folder {
        let what = format!("the id `{}` differs from the folder's name, `{folder}`", id.text);
        findings.push(Finding::at(&id.place, what).help("use the same name for both"));
    }
    let version = required(&fields, "version", findings)?;
    let contract = required(&fields, "contract", findings)?;
    if contract.text != CONTRACT {
        let what = format!("unsupported contract {}; this host supports {CONTRACT}", contract.text);
        findings.push(Finding::at(&contract.place, what));
    }
    let owner = required(&fields, "owner", findings)?;
    let http = fields.texts("http", findings);
    let http = http.iter().filter_map(|entry| {
        Allowed::parse(&entry.text).map_err(|why| findings.push(Finding::at(&entry.place, why))).ok()
    });
    let http = http.collect();
    Some(Manifest {
        id: id.text,
        version: version.text,
        on: fields.texts("on", findings),
        config: config(&fields, findings),
        limits: limits(&fields, findings),
        http,
        lookup: tables(&fields, folder, tree, findings),
        secrets: secrets(&fields, findings),
        on_failure: fields.parsed("on_failure", on_failure, findings).unwrap_or_default(),
        owner: owner.text,
        place: fields.place.clone(),
    })
}

fn config(fields: &Fields<'_>, findings: &mut Vec<Finding>) -> Map<String, Value> {
    match fields.get("config").map(|node| (node, node.json())) {
        None => Map::new(),
        Some((_, Value::Object(map))) => map,
        Some((node, _)) => {
            findings.push(node.wrong("a map"));
            Map::new()
        }
    }
}

fn secrets(fields: &Fields<'_>, findings: &mut Vec<Finding>) -> Vec<String> {
    let mut secrets = Vec::new();
    for secret in fields.texts("secrets", findings) {
        if is_secret_name(&secret.text) {
            secrets.push(secret.text);
        } else {
            let what = format!("`{}` is not a valid secret name", secret.text);
            let help =
                "use 1 to 64 letters, digits and underscores: its value comes from HOOKSWITCH_SECRET_NAME";
            findings.push(Finding::at(&secret.place, what).help(help));
        }
    }
    secrets
}

fn on_failure(word: &str) -> Result<OnFailure, String> {
    match word {
        "park" => Ok(OnFailure::Park),
        "skip" => Ok(OnFailure::Skip),
        "retry" => Ok(OnFailure::Retry),
        other => Err(format!("expected park, skip or retry, got `{other}`")),
    }
}

fn limits(fields: &Fields<'_>, findings: &mut Vec<Finding>) -> Limits {
    let mut limits = Limits::default();
    let Some(of_limits) = fields.get("limits").and_then(|node| node.fields(&LIMIT_KEYS, findings)) else {
        return limits;
    };
    if let Some(time) = of_limits.parsed("time", time, findings) {
        limits.time = time;
    }
    if let Some(memory) = of_limits.parsed("memory", memory, findings) {
        limits.memory = memory;
    }
    limits
}

fn time(text: &str) -> Result<Duration, String> {
    let milliseconds = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => number.trim().parse::<u64>().ok(),
        (None, Some(number)) => {
            number.trim().parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1_000))
        }
        (None, None) => None,
    };
    milliseconds
        .filter(|ms| (1..=10_000).contains(ms))
        .map(Duration::from_millis)
        .ok_or_else(|| format!("expected a time from 1ms to 10s, for example 200ms, got `{text}`"))
}

fn memory(text: &str) -> Result<usize, String> {
    text.strip_suffix("MiB")
        .and_then(|number| number.trim().parse::<usize>().ok())
        .filter(|mebibytes| (1..=256).contains(mebibytes))
        .map(|mebibytes| mebibytes * MEBIBYTE)
        .ok_or_else(|| format!("expected a size from 1MiB to 256MiB, for example 16MiB, got `{text}`"))
}

fn tables(
    fields: &Fields<'_>,
    folder: &str,
    tree: &Tree,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Arc<Table>> {
    let Some(node) = fields.get("lookup") else { return BTreeMap::new() };
    let Yaml::Map(entries) = &node.value else {
        findings.push(node.wrong("a map of tables"));
        return BTreeMap::new();
    };
    let mut tables = BTreeMap::new();
    for (name, node) in entries {
        let Some(of_table) = node.fields(&TABLE_KEYS, findings) else { continue };
        let Some(file) = required(&of_table, "file", findings) else { continue };
        let path = format!("plugins/{folder}/{}", file.text);
        let Some(text) = tree.files.get(&path) else {
            findings.push(
                Finding::at(&file.place, format!("no file `{}` beside plugin.yaml", file.text))
                    .help("a table is a .csv file with a header, or a .yaml file with a map of rows"),
            );
            continue;
        };
        let table = if path.ends_with(".csv") {
            required(&of_table, "key", findings).and_then(|key| from_csv(&path, text, &key, findings))
        } else {
            from_yaml(&path, text, findings)
        };
        tables.extend(table.map(|table| (name.text.clone(), Arc::new(table))));
    }
    tables
}

fn from_csv(path: &str, text: &str, key: &Source, findings: &mut Vec<Finding>) -> Option<Table> {
    let mut reader = ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            findings.push(Finding { line: 1, column: 1, ..Finding::of_file(path, error.to_string()) });
            return None;
        }
    };
    let Some(place) = header.iter().position(|column| column == key.text) else {
        findings.push(Finding::at(&key.place, format!("{path} has no column `{}`", key.text)));
        return None;
    };
    let mut table = Table::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    let mut room = TABLE;
    for record in reader.records() {
        match record {
            Ok(record) => {
                // Each row repeats the names of the columns.
                let names: usize = header.iter().map(|column| column.len() + CELL).sum();
                let Some(left) = room.checked_sub(names + record.as_slice().len()) else {
                    let what = format!("the table takes more than {} MiB of memory", TABLE / MEBIBYTE);
                    findings.push(Finding::of_file(path, what).help("shorten the names of its columns"));
                    return None;
                };
                room = left;
                let row: Map<String, Value> = header
                    .iter()
                    .zip(&record)
                    .map(|(column, value)| (column.to_owned(), Value::String(value.to_owned())))
                    .collect();
                let key = record.get(place).unwrap_or_default().to_owned();
                let line = record.position().map_or(0, csv::Position::line) as usize;
                if let Some(first) = lines.insert(key.clone(), line) {
                    let what = format!("the key {key:?} is already on line {first}");
                    findings.push(Finding { line, column: 1, ..Finding::of_file(path, what) });
                    return None;
                }
                table.insert(key, Value::Object(row));
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line) as usize;
                let what = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("the row has {len} fields, but the header has {expected_len}")
                    }
                    _ => error.to_string(),
                };
                findings.push(Finding { line, column: 1, ..Finding::of_file(path, what) });
                return None;
            }
        }
    }
    Some(table)
}

fn from_yaml(path: &str, text: &str, findings: &mut Vec<Finding>) -> Option<Table> {
    match parse(path, text) {
        Ok(Some(Node { value: Yaml::Map(rows), .. })) => {
            Some(rows.iter().map(|(key, row)| (key.text.clone(), row.json())).collect())
        }
        Ok(None) => Some(Table::new()),
        Ok(Some(node)) => {
            findings.push(node.wrong("a map of rows"));
            None
        }
        Err(finding) => {
            findings.push(finding);
            None
        }
    }
}
