//! The imports of a guest, and the state of one call.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use wasmtime::{ResourceLimiter, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::{
    bindings::hookswitch::plugin::{clock, config, http, log, lookup, types},
    http::{Http, HttpAnswer, HttpError, HttpRequest},
    lines::Lines,
    manifest::Manifest,
    record::Record,
    words::{cut, line},
};
use crate::decide::{budget::QUESTIONS, ports::StandIns};

/// Maximum number of logged lines per call; the rest are counted.
pub const LINES: usize = 100;
/// Maximum length of a logged line, in characters.
const LINE: usize = 1_000;

/// Maximum length of a key of a configuration or a table, in bytes.
const KEY: usize = 1_024;
/// Maximum size of a request, in bytes: method, URL, headers and body.
const REQUEST: usize = 256 * 1024;

/// State of one call.
pub struct CallState {
    pub wasi: WasiCtx,
    pub table: ResourceTable,
    pub manifest: Arc<Manifest>,
    /// What stands in for the manifest's configuration and tables.
    pub stand_ins: StandIns,
    /// Where its lines are kept; it does not log in cases.
    pub logs: Option<Lines>,
    pub event_id: String,
    pub now: Timestamp,
    pub record: Record,
    /// Sends requests; `None` without a network, as in cases.
    pub http: Option<Arc<dyn Http>>,
    pub until: Instant,
    pub lines: usize,
    /// The last line that the guest logged as an error: the message and place of a panic.
    pub last_error: Option<String>,
    pub memory: usize,
    pub most_memory: usize,
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl wasmtime::component::HasData for CallState {
    type Data<'a> = &'a mut CallState;
}

impl ResourceLimiter for CallState {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.memory = self.memory.saturating_sub(current) + desired;
        if self.memory > self.manifest.limits.memory {
            let most = self.manifest.limits.memory / 1024 / 1024;
            wasmtime::bail!("used more than {most} MiB of memory");
        }
        self.most_memory = self.most_memory.max(self.memory);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }
}

impl CallState {
    /// Answers a question whose answer stays the same throughout a call, and records it once.
    fn ask(
        &mut self,
        port: &str,
        question: Value,
        answer: impl FnOnce(&Self) -> Value,
    ) -> wasmtime::Result<Value> {
        let answer = answer(self);
        self.record.once(port, question, &answer)?;
        Ok(answer)
    }
}

impl types::Host for CallState {}

impl log::Host for CallState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        if level == log::Level::Error {
            self.last_error = Some(cut(&message, LINE));
        }
        self.lines += 1;
        let Some(lines) = self.logs.as_ref().filter(|_| self.lines <= LINES) else { return Ok(()) };
        let message = line(&message, LINE);
        let Manifest { id, version, .. } = &*self.manifest;
        let event = &self.event_id;
        let word = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        lines.add(self.now, word, event, &message);
        match level {
            log::Level::Debug => tracing::debug!(plugin = id, version, event, "{message}"),
            log::Level::Info => tracing::info!(plugin = id, version, event, "{message}"),
            log::Level::Warn => tracing::warn!(plugin = id, version, event, "{message}"),
            log::Level::Error => tracing::error!(plugin = id, version, event, "{message}"),
        }
        Ok(())
    }
}

impl clock::Host for CallState {
    fn now(&mut self) -> wasmtime::Result<String> {
        let now = self.ask("now", Value::Null, |state| Value::String(state.now.to_string()))?;
        Ok(now.as_str().unwrap_or_default().to_owned())
    }
}

/// Rejects a long key: none exists, and recording it would be expensive.
fn check_key(key: &str) -> wasmtime::Result<()> {
    if key.len() > KEY {
        wasmtime::bail!("asked for a key of {} bytes; the maximum is {KEY}", key.len());
    }
    Ok(())
}

impl config::Host for CallState {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        check_key(&key)?;
        let answer = self.ask("config", Value::String(key.clone()), |state| {
            let given = state.stand_ins.config.get(&key).or_else(|| state.manifest.config.get(&key));
            given.cloned().unwrap_or_default()
        })?;
        Ok((!answer.is_null()).then(|| answer.to_string()))
    }
}

impl lookup::Host for CallState {
    fn get(&mut self, table: String, key: String) -> wasmtime::Result<Result<Option<String>, String>> {
        check_key(&table)?;
        check_key(&key)?;
        let Some(rows) = self.manifest.lookup.get(&table).cloned() else {
            return Ok(Err(format!("plugin.yaml has no table `{table}`")));
        };
        let question = json!({"table": table, "key": key});
        let row = self.ask("lookup", question, |state| {
            let given = state.stand_ins.lookup.get(&table).and_then(|rows| rows.get(&key)).cloned();
            given.or_else(|| rows.get(&key).cloned()).unwrap_or_default()
        })?;
        Ok(Ok((!row.is_null()).then(|| row.to_string())))
    }
}

impl http::Host for CallState {
    async fn send(&mut self, request: http::Request) -> Result<http::Response, http::Error> {
        if !self.record.has_room() {
            return Err(http::Error::Denied(format!("asked more than {QUESTIONS} different questions")));
        }
        let headers: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let body = request.body.as_ref().map_or(0, Vec::len);
        if request.method.len() + request.url.len() + headers + body > REQUEST {
            return Err(http::Error::Denied(format!("the request is larger than {} KiB", REQUEST / 1024)));
        }
        let question = json!({
            "method": request.method,
            "url": request.url,
            "headers": request.headers,
            "body": request.body.as_deref().map(String::from_utf8_lossy),
        });
        let most = self.until;
        let until = request
            .timeout_ms
            .map_or(most, |ms| most.min(Instant::now() + std::time::Duration::from_millis(u64::from(ms))));
        let answer = match &self.http {
            None => Err(HttpError::Denied("no network access here".to_owned())),
            Some(http) => {
                let request = HttpRequest {
                    plugin: self.manifest.id.clone(),
                    method: request.method,
                    url: request.url,
                    headers: request.headers,
                    body: request.body,
                    allowed: self.manifest.http.clone(),
                    secrets: self.manifest.secrets.clone(),
                    until,
                };
                http.clone().send(request).await
            }
        };
        let recorded = serde_json::to_value(&answer).unwrap_or_default();
        if let Err(error) = self.record.add("http", question, recorded) {
            return Err(http::Error::Failed(error.to_string()));
        }
        answer.map(response).map_err(|error| match error {
            HttpError::Denied(why) => http::Error::Denied(why),
            HttpError::Timeout => http::Error::Timeout,
            HttpError::TooLarge => http::Error::TooLarge,
            HttpError::Failed(why) => http::Error::Failed(why),
        })
    }
}

fn response(answer: HttpAnswer) -> http::Response {
    http::Response { status: answer.status, headers: answer.headers, body: answer.body, hints: Vec::new() }
}
