//! Asks the warehouse's service when an item comes in again, and goes on without it when it is slow.

use hookswitch_sdk::{Decision, Event, Level, config, http, log, router};
use serde::Deserialize;

#[derive(Deserialize)]
struct Stock {
    item: String,
    left: u32,
}

#[derive(Deserialize)]
struct Delivery {
    arrives: String,
}

fn decide(event: Event<Stock>) -> Result<Decision, String> {
    let Stock { item, left } = event.data;
    let arrives = arrival(&item)?.unwrap_or_else(|| "not known yet".to_owned());
    let decision = Decision::new("stock_running_out")
        .group("Sales Team")
        .var("item", item.as_str())
        .var("left", left)
        .var("arrives", arrives)
        .dedupe_key(item);
    Ok(if left == 0 { decision.urgent() } else { decision })
}

/// When more comes; none where the service does not say so in time.
fn arrival(item: &str) -> Result<Option<String>, String> {
    let url: String = config("url")?.ok_or("plugin.yaml has no config.url")?;
    let name: String = item
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let asked = http::get(format!("{url}{name}"))
        .header("authorization", "Bearer {{secret:STOCK_KEY}}")
        .timeout_ms(150)
        .send();
    match asked {
        Ok(answer) if answer.status == 200 => Ok(Some(answer.json::<Delivery>()?.arrives)),
        Ok(answer) => {
            log(Level::Warn, &format!("the stock service answered {}", answer.status));
            Ok(None)
        }
        Err(error) => {
            log(Level::Warn, &format!("the stock service did not answer: {error}"));
            Ok(None)
        }
    }
}

router!(decide);

#[cfg(test)]
mod tests {
    use hookswitch_sdk::testing::World;

    use super::*;

    const EVENT: &str = r#"{"type": "stock.running_out", "data": {"item": "inverter", "left": 2}}"#;
    const URL: &str = "https://stock.example.com/items/inverter";

    fn decided(world: World) -> Decision {
        let world = world.config("url", "https://stock.example.com/items/");
        world.run(|| decide(Event::from_json(EVENT)?)).unwrap()
    }

    #[test]
    fn the_service_says_when_more_comes() {
        let decision = decided(World::new().answer(URL, 200, r#"{"arrives": "on Friday"}"#));
        assert_eq!(decision.context["arrives"], "on Friday");
    }

    #[test]
    fn it_goes_on_without_the_service() {
        assert_eq!(decided(World::new().slow(URL)).context["arrives"], "not known yet");
        assert_eq!(decided(World::new().answer(URL, 500, "")).context["arrives"], "not known yet");
    }
}
