//! What a decision costs, for a route, a script and a plugin.

use std::{
    fs,
    hint::black_box,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Context, anyhow};
use hookswitch_core::{
    catalog::{self, Catalog, CatalogPorts, Folders},
    decide::{decide, plugin::Sandbox},
    domain::{Event, EventKey, Outcome},
};
use jiff::Timestamp;
use serde_json::{Value, json, value::RawValue};

use crate::table::{Row, percentile as at, print};

/// Decisions that are measured of each kind, after a tenth of that to warm up.
const DECISIONS: usize = 20_000;

/// Measures a plain route, a script and a plugin in a fresh instance, beside an empty native function that reads the same
/// JSON.
///
/// # Errors
/// Where the example plugins are not built.
pub fn measure() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("hookswitch-bench-").tempdir().context("make a folder")?;
    let catalog = load(folder.path())?;
    let floor = times(|| {
        let event = event("bench.none");
        black_box(serde_json::from_str::<Value>(event.data.get()).ok());
    });
    let mut rows = Vec::new();
    for (kind, p50, p99, rate) in [
        ("bench.route", "µs a plain route, p50", "µs a plain route, p99", "plain routes/s"),
        ("bench.script", "µs a script, p50", "µs a script, p99", "scripts/s"),
        ("bench.plugin", "µs a plugin, fresh instance, p50", "µs a plugin, fresh instance, p99", "plugins/s"),
    ] {
        let event = event(kind);
        let outcome = &decide(&catalog.routes, &event, &ports(&catalog))[0].outcome;
        anyhow::ensure!(matches!(outcome, Outcome::Notify(_)), "decide {kind}: {outcome:?}");
        let taken = times(|| drop(black_box(decide(&catalog.routes, &event, &ports(&catalog)))));
        rows.push(Row::new(p50, at(&taken, 50), Some(at(&floor, 50))));
        rows.push(Row::new(p99, at(&taken, 99), Some(at(&floor, 99))));
        let total: f64 = taken.iter().sum();
        rows.push(Row::new(rate, taken.len() as f64 / total * 1e6, None));
    }
    let plugin = catalog.plugins.get("order-triage").context("find the plugin")?;
    let order = event("bench.plugin");
    let mut running = plugin
        .time_running(&order, &ports(&catalog), DECISIONS)
        .map_err(|why| anyhow!("ask a running instance: {why}"))?;
    running.sort_by(f64::total_cmp);
    let fresh = || times(|| drop(black_box(decide(&catalog.routes, &order, &ports(&catalog)))));
    let quiet = fresh();
    rows.push(Row::new(
        "µs a plugin, beside a running instance, p50",
        at(&quiet, 50),
        Some(at(&running, 50)),
    ));
    let reloading = AtomicBool::new(true);
    let beside_reloads = thread::scope(|scope| {
        let loads = scope.spawn(|| {
            let mut loads = 0;
            while reloading.load(Ordering::Relaxed) {
                loads += usize::from(load(folder.path()).is_ok());
            }
            loads
        });
        let taken = fresh();
        reloading.store(false, Ordering::Relaxed);
        (taken, loads.join().unwrap_or(0))
    });
    eprintln!("meanwhile, the plugin was compiled and linked anew {} times", beside_reloads.1);
    rows.push(Row::new(
        "µs a plugin while it is reloaded, p50",
        at(&beside_reloads.0, 50),
        Some(at(&quiet, 50)),
    ));
    rows.push(Row::new(
        "µs a plugin while it is reloaded, p99",
        at(&beside_reloads.0, 99),
        Some(at(&quiet, 99)),
    ));
    print(&rows);
    Ok(())
}

fn ports(catalog: &Catalog) -> CatalogPorts<'_> {
    CatalogPorts { catalog, now: Timestamp::UNIX_EPOCH }
}

/// Microseconds of each run, sorted.
fn times(mut run: impl FnMut()) -> Vec<f64> {
    for _ in 0..DECISIONS / 10 {
        run();
    }
    let mut times: Vec<f64> = (0..DECISIONS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// An order of a kilobyte.
fn event(kind: &str) -> Event {
    let data = json!({
        "number": "SO-7", "amount": 6_000, "customer_id": "c-2",
        "lines": [{"name": "Panel 550 W", "quantity": 8}, {"name": "Inverter 5 kVA", "quantity": 1}],
        "note": "x".repeat(850),
    });
    Event {
        key: EventKey { id: "bench".to_owned(), source: "/bench".to_owned() },
        kind: kind.to_owned(),
        subject: None,
        time: Timestamp::UNIX_EPOCH,
        data: RawValue::from_string(data.to_string()).unwrap_or_default(),
        extensions: None,
    }
}

fn load(folder: &Path) -> anyhow::Result<Catalog> {
    let write = |file: &str, text: &str| {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap_or(folder)).and_then(|()| fs::write(path, text))
    };
    write("rules/groups.yaml", "- name: Sales Team\n- name: Finance Team\n- name: System Admins\n")?;
    write(
        "rules/bench/routes.yaml",
        "- on: bench.route\n  template: order_triage\n  groups: [Sales Team]\n  dedupe_key: event.data.number\n  context:\n    \
         order_number: event.data.number\n    customer: first(event.data.customer, \"Customer\")\n    \
         amount: money(event.data.amount)\n    risk: 3\n    why: event.data.customer_id\n\
         - on: bench.script\n  script: bench.rhai\n- on: bench.plugin\n  plugin: order-triage\n",
    )?;
    write(
        "rules/bench/bench.rhai",
        "fn decide(event) {\n    let data = event.data;\n    let risk = 0;\n    if data.amount >= 5000 { risk += 3; }\n    \
         for line in data.lines {\n        if line.quantity > 5 { risk += 1; }\n    }\n    let groups = [\"Sales Team\"];\n    \
         if risk > 3 { groups.push(\"Finance Team\"); }\n    #{\n        template: \"order_triage\",\n        groups: groups,\n        \
         dedupe_key: data.number,\n        context: #{\n            order_number: data.number,\n            \
         customer: first(data.customer, \"Customer\"),\n            amount: money(data.amount),\n            risk: risk,\n            \
         why: data.customer_id\n        }\n    }\n}\n",
    )?;
    let from = Path::new("plugins/order-triage");
    for file in ["plugin.yaml", "customers.csv", "order-triage.wasm", "templates/order_triage.j2"] {
        let bytes = fs::read(from.join(file)).with_context(|| {
            format!(
                "read {}: build it first: hookswitch plugin build order-triage",
                from.join(file).display()
            )
        })?;
        let path = folder.join(from).join(file);
        fs::create_dir_all(path.parent().unwrap_or(folder)).and_then(|()| fs::write(path, bytes))?;
    }
    let sandbox = Sandbox::new(None, None, Default::default()).map_err(|why| anyhow!("{why}"))?;
    let folders = Folders {
        rules: folder.join("rules"),
        plugins: Some(folder.join("plugins")),
        sandbox: Some(sandbox),
    };
    catalog::load(&folders).map_err(|findings| anyhow!("load the rules:\n{findings}"))
}
