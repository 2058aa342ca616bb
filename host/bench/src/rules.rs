//! The rules and events of the benchmark.

use std::{fs, path::Path};

use serde_json::json;

/// Groups of ten people each.
pub const GROUPS: usize = 2_000;
/// People in each of them.
pub const MEMBERS: usize = 10;

const TEMPLATE: &str = "---\ndescription: For the benchmark\ncategory: utility\nlanguage: en_US\n---\n\
    *New order* {{ number }}\nCustomer: {{ customer }}\nAmount: {{ amount }} USD, thank you.\n";

const SCRIPT: &str = "fn decide(event) {
    let order = event.data.order;
    #{
        template: \"bench\",
        groups: [event.data.group],
        context: #{
            number: order.number,
            customer: first(order.customer.full_name, \"Customer\"),
            amount: money(order.amount)
        }
    }
}
";

/// Routes of the comparison in [`crate::fair`]: a backlog of bulk messages, one message to one contact, and one from a
/// number of its own.
const FAIR: &str = "- on: bench.bulk
  template: bench
  groups: [bench-0]
  priority: bulk
  context: {number: event.data.number, customer: '\"Customer\"', amount: '\"1\"'}
- on: bench.normal
  template: bench
  contacts: [event.data.to]
  context: {number: event.data.number, customer: '\"Customer\"', amount: '\"1\"'}
- on: bench.dead
  template: bench
  contacts: [event.data.to]
  from: dead
  context: {number: event.data.number, customer: '\"Customer\"', amount: '\"1\"'}
";

/// Writes them below a folder.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(rules: &Path) -> anyhow::Result<()> {
    let domain = rules.join("bench");
    fs::create_dir_all(domain.join("templates"))?;
    fs::write(rules.join("groups.yaml"), "- name: bench-0\n  description: For the benchmark\n")?;
    fs::write(domain.join("routes.yaml"), "- on: bench.event\n  script: bench.rhai\n")?;
    fs::write(domain.join("bench.rhai"), SCRIPT)?;
    fs::write(domain.join("templates/bench.j2"), TEMPLATE)?;
    Ok(())
}

/// Adds those of the fairness comparison; the numbers are `usual` and `dead`.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_fair(rules: &Path) -> anyhow::Result<()> {
    write(rules)?;
    let mut routes = fs::read_to_string(rules.join("bench/routes.yaml"))?;
    routes.push_str(FAIR);
    Ok(fs::write(rules.join("bench/routes.yaml"), routes)?)
}

/// An order of some 500 bytes, for the group whose turn it is.
pub fn event(run: &str, n: usize) -> String {
    json!({
        "type": "bench.event",
        "source": "/bench",
        "id": format!("{run}-{n}"),
        "subject": format!("order-{n}"),
        "data": {
            "group": format!("bench-{}", n % GROUPS),
            "order": {
                "id": n, "number": format!("SO-{n}"), "amount": 1250.5, "currency": "USD",
                "customer": {"full_name": "Tendai Moyo", "contact": {"name": "Tendai", "wa_id": "263770000000"}},
                "lines": [{"name": "Panel 550 W", "quantity": 8}, {"name": "Inverter 5 kVA", "quantity": 1}],
                "address": "12 Samora Machel Avenue, Harare", "note": "Please call before you come."
            }
        }
    })
    .to_string()
}
