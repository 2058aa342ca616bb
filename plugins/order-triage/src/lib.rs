//! Scores an order from its amount and its customer's history, and decides who looks at it, and how soon.

use hookswitch_sdk::{Decision, Event, config, lookup, router};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    number: String,
    amount: f64,
    customer_id: String,
}

/// A row of customers.csv, where all values are texts.
#[derive(Deserialize)]
struct Customer {
    name: String,
    orders: String,
    unpaid: String,
    complaints: String,
}

fn decide(event: Event<Order>) -> Result<Decision, String> {
    let order = event.data;
    let large: f64 = config("large_amount")?.unwrap_or(5_000.0);
    let customer: Option<Customer> = lookup("customers", &order.customer_id)?;
    let (risk, words) = risk(&order, large, customer.as_ref())?;
    let name = customer.map_or("A new customer".to_owned(), |customer| customer.name);
    let decision = Decision::new("order_triage")
        .var("order_number", order.number.as_str())
        .var("customer", name)
        .var("amount", format!("{:.2}", order.amount))
        .var("risk", risk)
        .var("why", words.join(", "))
        .dedupe_key(order.number.as_str())
        .because(format!("risk {risk}: {}", words.join(", ")));
    Ok(match risk {
        0..=2 => decision.group("Sales Team").bulk(),
        3..=5 => decision.group("Sales Team").group("Finance Team"),
        _ => decision.group("Finance Team").group("System Admins").urgent(),
    })
}

fn risk(order: &Order, large: f64, customer: Option<&Customer>) -> Result<(u32, Vec<String>), String> {
    let mut risk = 0;
    let mut words = Vec::new();
    let mut add = |points: u32, why: String| {
        risk += points;
        words.push(why);
    };
    if order.amount >= large {
        add(3, "a large amount".to_owned());
    }
    match customer {
        None => add(2, "no history".to_owned()),
        Some(customer) => {
            let number = |text: &str| {
                text.parse::<u32>().map_err(|error| format!("read customers.csv: {text:?}: {error}"))
            };
            let (orders, unpaid) = (number(&customer.orders)?, number(&customer.unpaid)?);
            if unpaid > 0 {
                add(unpaid * 2, format!("{unpaid} unpaid of {orders} orders"));
            }
            if number(&customer.complaints)? > 2 {
                add(1, "several complaints".to_owned());
            }
        }
    }
    if words.is_empty() {
        words.push("nothing odd".to_owned());
    }
    Ok((risk, words))
}

router!(decide);

#[cfg(test)]
mod tests {
    use hookswitch_sdk::testing::World;
    use serde_json::json;

    use super::*;

    fn decided(amount: f64, customer: &str) -> Decision {
        let world = World::new().row(
            "customers",
            "c-2",
            json!({"name": "Rumbidzai Phiri", "orders": "2", "unpaid": "3", "complaints": "1"}),
        );
        let event = json!({"type": "order.triage_requested",
            "data": {"number": "SO-7", "amount": amount, "customer_id": customer}});
        world.run(|| decide(Event::from_json(&event.to_string())?)).unwrap()
    }

    #[test]
    fn a_small_order_of_somebody_new_can_wait() {
        let decision = decided(12.5, "c-9");
        assert_eq!(
            (decision.groups, decision.context["risk"].clone()),
            (vec!["Sales Team".to_owned()], json!(2))
        );
    }

    #[test]
    fn who_does_not_pay_is_looked_at_first() {
        let decision = decided(6_000.0, "c-2");
        assert_eq!(decision.groups, ["Finance Team", "System Admins"]);
        assert_eq!(decision.context["why"], "a large amount, 3 unpaid of 2 orders");
    }
}
