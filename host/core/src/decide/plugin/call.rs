//! One call of a plugin: a new store with limits, and the conversion of its answer.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};
use wasmtime::{PoolConcurrencyLimitError, Store, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, random::Deterministic};

use super::{
    bindings::{exports::hookswitch::plugin::router, hookswitch::plugin::types},
    host::{CallState, LINES},
    lines::Lines,
    manifest::OnFailure,
    output::Printed,
    record::Record,
    state::{Failure, Plugin, Revision, Stopped},
    words::{cut, line},
};
use crate::{
    decide::{
        answer,
        budget::{DECISIONS, OUTPUT},
        ports::Ports,
    },
    domain::{Asked, Event, Outcome},
};

/// Wall time in addition to the running time: for waiting on a busy machine, and in host calls.
const GRACE: Duration = Duration::from_secs(1);
/// Maximum time counted between two looks at the clock: a longer interval is due to the scheduler.
const LONGEST_STEP: Duration = Duration::from_millis(20);
/// Maximum number of bytes passed in one host call, in either direction.
const HOSTCALL_BYTES: usize = 2 * 1024 * 1024;
/// Maximum number of random bytes per request.
const RANDOM_BYTES: u64 = 64 * 1024;
/// Maximum number of handles (streams, pollables) of a guest.
const HANDLES: usize = 4_096;
/// Maximum length of a reason, in characters.
const REASON: usize = 1_000;
/// More instructions than any call can run.
const FUEL: u64 = u64::MAX;
/// Number of tries of a plugin with `on_failure: retry`.
const TRIES: usize = 3;
/// Interval at which a full pool is tried again, and maximum total time.
const FULL_POOL: Duration = Duration::from_millis(5);
const FULL_POOL_AT_MOST: Duration = Duration::from_secs(60);

impl Plugin {
    /// Calls the plugin for an event; returns its outcomes, and what it asked.
    pub fn decide(&self, event: &Event, ports: &dyn Ports) -> (Vec<Outcome>, Vec<Asked>) {
        if let Some(Stopped { why, is_dropped }) = self.stopped().filter(|_| !ports.is_rehearsal()) {
            let plugin = self.manifest().id.clone();
            let outcome = match is_dropped {
                true => Outcome::Skip(why),
                false => Outcome::Parked { plugin, why, is_stopped: true },
            };
            return (vec![outcome], Vec::new());
        }
        let revision = match ports.is_rehearsal() {
            true => Some(self.newest()),
            false => self.active(),
        };
        let Some(revision) = revision else {
            let id = self.manifest().id.clone();
            return (
                vec![Outcome::Parked { plugin: id, why: self.why_not_called(), is_stopped: false }],
                Vec::new(),
            );
        };
        let tries = if revision.manifest.on_failure == OnFailure::Retry { TRIES } else { 1 };
        let mut last = (String::new(), Vec::new());
        for _ in 0..tries {
            let (answer, asked) = self.call(&revision, event, ports);
            match answer {
                Ok(outcomes) => return (outcomes, asked),
                Err(failure) => last = (failure.into_words(), asked),
            }
        }
        let why = format!("the plugin {} failed: {}", revision.manifest.id, last.0);
        let outcome = match revision.manifest.on_failure {
            OnFailure::Skip => Outcome::Skip(why),
            OnFailure::Park | OnFailure::Retry => {
                Outcome::Parked { plugin: revision.manifest.id.clone(), why, is_stopped: false }
            }
        };
        (vec![outcome], last.1)
    }

    fn state(
        &self,
        revision: &Arc<Revision>,
        event: &Event,
        ports: &dyn Ports,
        output: &Printed,
    ) -> CallState {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        CallState {
            wasi: wasi(event, ports, output),
            table,
            manifest: revision.manifest.clone(),
            stand_ins: ports.stand_ins(&revision.manifest.id),
            logs: (!ports.is_rehearsal()).then(|| self.known.lines.clone()),
            event_id: event.key.id.clone(),
            now: ports.now(),
            record: Record::default(),
            http: ports.http().or_else(|| self.sandbox.0.http.clone()),
            until: Instant::now() + revision.manifest.limits.time,
            lines: 0,
            last_error: None,
            memory: 0,
            most_memory: 0,
        }
    }

    fn call(
        &self,
        revision: &Arc<Revision>,
        event: &Event,
        ports: &dyn Ports,
    ) -> (Result<Vec<Outcome>, Failure>, Vec<Asked>) {
        let shared = &self.sandbox.0;
        let ended = || (Err(Failure::Answered("the sandbox has ended".to_owned())), Vec::new());
        // Dropped after the store, for whose slots in the pool it stands.
        let Some(_place) = self.sandbox.place(revision) else { return ended() };
        let _ticking = shared.clock.run();
        let asked = Instant::now();
        loop {
            let began = Instant::now();
            let output = Printed::default();
            let mut store = self.store(revision, event, ports, &output);
            let answer = shared.runtime.block_on(answer_of(revision, &mut store, event));
            let Some(answer) = answer else { return ended() };
            if let Ok(left) = store.get_fuel() {
                self.cost(FUEL - left);
            }
            let state = store.into_data();
            // The pool has room for every call with a place; if it is full all the same, the plugin did not fail.
            if answer.as_ref().is_err_and(is_full_pool) && asked.elapsed() < FULL_POOL_AT_MOST {
                shared.runtime.block_on(sleep(FULL_POOL));
                continue;
            }
            if let Some(lines) = &state.logs {
                said(&state, &output, lines);
            }
            let answer = match answer {
                Err(error) if is_full_pool(&error) => {
                    return (Err(Failure::Answered(error.to_string())), Vec::new());
                }
                Err(error) => {
                    let said = state.last_error.clone().or_else(|| last_line(&output));
                    Err(Failure::Broke(in_words(&error, said.as_deref())))
                }
                Ok(Err(failure)) => Err(Failure::Answered(cut(&failure.message, REASON))),
                Ok(Ok(answer)) => outcomes(answer).map_err(Failure::Broke),
            };
            if !ports.is_rehearsal() {
                self.called(revision, began.elapsed(), state.most_memory, answer.as_ref().err());
            }
            return (answer, state.record.into_asked());
        }
    }

    /// A store with all limits of a call.
    fn store(
        &self,
        revision: &Arc<Revision>,
        event: &Event,
        ports: &dyn Ports,
        output: &Printed,
    ) -> Store<CallState> {
        let most = revision.manifest.limits.time;
        let mut store = Store::new(&self.sandbox.0.engine, self.state(revision, event, ports, output));
        store.limiter(|state| state);
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        // Fails if instructions are not counted.
        let _ = store.set_fuel(FUEL);
        store.set_epoch_deadline(1);
        let (mut used, mut looked) = (Duration::ZERO, Instant::now());
        store.epoch_deadline_callback(move |_| {
            let now = Instant::now();
            used += now.saturating_duration_since(looked).min(LONGEST_STEP);
            looked = now;
            if used > most {
                wasmtime::bail!("took longer than {} ms", most.as_millis());
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }
}

/// Instantiates a revision and calls it.
async fn answer_of(
    revision: &Revision,
    store: &mut Store<CallState>,
    event: &Event,
) -> wasmtime::Result<Result<types::Answer, types::Failure>> {
    let Ok(linked) = &revision.linked else { wasmtime::bail!("it is not compiled") };
    let most = revision.manifest.limits.time + GRACE;
    let answering = async {
        let plugin = linked.pre.instantiate_async(&mut *store).await?;
        plugin.hookswitch_plugin_router().call_decide(&mut *store, &given(event)).await
    };
    match timeout(most, answering).await {
        Ok(answer) => answer,
        Err(_) => wasmtime::bail!("took longer than {} ms, including waiting", most.as_millis()),
    }
}

fn is_full_pool(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<PoolConcurrencyLimitError>().is_some()
}

impl Plugin {
    /// Calls one running instance repeatedly, for the benchmark: the cost of a call without a new instance. Returns the
    /// microseconds of each call.
    ///
    /// # Errors
    /// If the plugin is parked, or fails.
    pub fn time_running(&self, event: &Event, ports: &dyn Ports, times: usize) -> Result<Vec<f64>, String> {
        let revision = self.active().ok_or("the plugin is parked")?;
        let shared = &self.sandbox.0;
        let Ok(linked) = &revision.linked else { return Err(self.why_not_called()) };
        let _ticking = shared.clock.run();
        let mut store = Store::new(&shared.engine, self.state(&revision, event, ports, &Printed::default()));
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
        let timed = shared.runtime.block_on(async {
            let plugin = linked.pre.instantiate_async(&mut store).await.map_err(|e| e.to_string())?;
            let mut taken = Vec::with_capacity(times);
            for _ in 0..times {
                store.data_mut().record.clear();
                store.set_hostcall_fuel(HOSTCALL_BYTES);
                let began = Instant::now();
                let answer = plugin.hookswitch_plugin_router().call_decide(&mut store, &given(event)).await;
                let answer = answer.map_err(|e| e.to_string())?.map_err(|failure| failure.message)?;
                outcomes(answer)?;
                taken.push(began.elapsed().as_secs_f64() * 1e6);
            }
            Ok(taken)
        });
        timed.unwrap_or_else(|| Err("the sandbox has ended".to_owned()))
    }
}

/// A clock that stands still.
struct Still(Duration);

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

fn wasi(event: &Event, ports: &dyn Ports, output: &Printed) -> WasiCtx {
    let since_1970 = Duration::try_from(ports.now().duration_since(jiff::Timestamp::UNIX_EPOCH));
    let seed: [u8; 32] = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(format!(
        "{}\0{}",
        event.key.source, event.key.id
    )))
    .into();
    let number = seed.first_chunk::<16>().map_or(0, |bytes| u128::from_le_bytes(*bytes));
    WasiCtx::builder()
        .stdout(output.clone())
        .stderr(output.clone())
        .wall_clock(Still(since_1970.unwrap_or_default()))
        .monotonic_clock(Still(Duration::ZERO))
        .secure_random(Deterministic::new(seed.to_vec()))
        .insecure_random(Deterministic::new(seed.to_vec()))
        .insecure_random_seed(number)
        .max_random_size(RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}

fn given(event: &Event) -> types::Event {
    types::Event {
        id: event.key.id.clone(),
        source: event.key.source.clone(),
        kind: event.kind.clone(),
        subject: event.subject.clone(),
        time: event.time.to_string(),
        data: event.data.get().to_owned(),
        extensions: event.extensions.as_ref().map_or_else(|| "{}".to_owned(), |json| json.get().to_owned()),
        hints: Vec::new(),
    }
}

/// Logs the output of the guest.
fn said(state: &CallState, output: &Printed, lines: &Lines) {
    let (plugin, event) = (&state.manifest.id, &state.event_id);
    let printed = output.text();
    for printed in printed.lines().filter(|line| !line.trim().is_empty()).take(LINES) {
        let printed = line(printed, REASON);
        lines.add(state.now, "info", event, &printed);
        tracing::info!(plugin, event, "{printed}");
    }
    if state.lines > LINES {
        tracing::warn!(
            plugin,
            event,
            lines = state.lines,
            "a plugin logs too much; the rest of its lines are dropped"
        );
    }
}

/// What the guest printed last: the end of a traceback says what it was.
fn last_line(output: &Printed) -> Option<String> {
    let text = output.text();
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line(last, REASON))
}

/// Why the guest was stopped: the message of its panic, or of the limit that it exceeded.
fn in_words(error: &wasmtime::Error, last_error: Option<&str>) -> String {
    if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
        return match (trap, last_error) {
            (wasmtime::Trap::UnreachableCodeReached, Some(panic)) => panic.to_owned(),
            (wasmtime::Trap::StackOverflow, _) => {
                "stack overflow: its function calls are nested too deeply".to_owned()
            }
            (trap, Some(said)) => format!("{trap}; its last error: {said}"),
            (trap, None) => trap.to_string(),
        };
    }
    let root = error.root_cause().to_string();
    // wasmtime has no type for this error.
    if root.contains("fuel allocated for hostcalls") {
        return format!("passed more than {} MiB at once", HOSTCALL_BYTES / 1024 / 1024);
    }
    cut(root.lines().next().unwrap_or_default(), REASON)
}

/// Converts the answer, with the same checks as for a script.
fn outcomes(answer: types::Answer) -> Result<Vec<Outcome>, String> {
    let decisions = match answer {
        router::Answer::Skip(why) => {
            return Ok(vec![Outcome::Skip(cut(&why, REASON))]);
        }
        router::Answer::Notify(decisions) => decisions,
    };
    if decisions.len() > DECISIONS {
        return Err(format!("{} decisions exceed the maximum of {DECISIONS}", decisions.len()));
    }
    let mut size = 0;
    let maps = decisions
        .into_iter()
        .enumerate()
        .map(|(index, decision)| {
            size += decision.context.len();
            if size > OUTPUT {
                return Err(format!("the answer is larger than {} KiB", OUTPUT / 1024));
            }
            map(decision).map_err(|why| format!("[{index}].{why}"))
        })
        .collect::<Result<Vec<Value>, String>>()?;
    let whole = Value::Array(maps);
    if whole.to_string().len() > OUTPUT {
        return Err(format!("the answer is larger than {} KiB", OUTPUT / 1024));
    }
    answer::outcomes(&whole, false)
}

fn map(decision: types::Decision) -> Result<Value, String> {
    let context: Map<String, Value> = serde_json::from_str(&decision.context)
        .map_err(|error| format!("context: expected a JSON object: {error}"))?;
    let (send_at, after) = match decision.send {
        None => (None, None),
        Some(types::SendTime::SendAt(at)) => (Some(at), None),
        Some(types::SendTime::After(after)) => (None, Some(after)),
    };
    let priority = decision.priority.map(|priority| match priority {
        types::Priority::Urgent => "urgent",
        types::Priority::Normal => "normal",
        types::Priority::Bulk => "bulk",
    });
    let mode = decision.mode.map(|mode| match mode {
        types::Mode::Auto => "auto",
        types::Mode::Template => "template",
        types::Mode::Text => "text",
    });
    // Values for which the contract has no field yet.
    let hints: HashMap<&str, &str> =
        decision.hints.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut map = Map::new();
    for name in ["from", "language", "key", "at_most", "hours", "dedupe_for", "collect"] {
        map.extend(hints.get(name).map(|text| (name.to_owned(), Value::from(*text))));
    }
    map.extend(hints.get("reply").map(|reply| ("reply".to_owned(), Value::from(*reply == "true"))));
    for name in ["cancel", "else"] {
        map.extend(parsed(&hints, name)?.map(|value| (name.to_owned(), value)));
    }
    let given = [
        ("template", Some(decision.template.into())),
        ("groups", Some(decision.groups.into())),
        ("users", Some(decision.users.into())),
        ("contacts", Some(decision.contacts.into())),
        ("context", Some(context.into())),
        ("dedupe_key", decision.dedupe_key.map(Value::from)),
        ("send_at", send_at.map(Value::from)),
        ("after", after.map(Value::from)),
        ("expires_at", decision.expires_at.map(Value::from)),
        ("priority", priority.map(Value::from)),
        ("mode", mode.map(Value::from)),
        ("reason", decision.reason.map(Value::from)),
    ];
    map.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Ok(map.into())
}

/// The value of a hint that is JSON.
fn parsed(hints: &HashMap<&str, &str>, name: &str) -> Result<Option<Value>, String> {
    let parse =
        |text: &&str| serde_json::from_str(text).map_err(|error| format!("{name}: expected JSON: {error}"));
    hints.get(name).map(parse).transpose()
}
