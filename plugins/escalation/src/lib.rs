//! Follows a chain of groups: which chain, by the time of day, weekdays and holidays in a time zone; how far along it,
//! by how long nobody has taken the alarm.

use hookswitch_sdk::{Answer, Decision, Event, config, now, router, skip};
use jiff::{civil, tz::TimeZone};
use serde::Deserialize;

#[derive(Deserialize)]
struct Alarm {
    name: String,
    #[serde(default)]
    details: String,
    /// Who has taken it.
    taken_by: Option<String>,
    #[serde(default)]
    minutes_open: u32,
}

#[derive(Deserialize)]
struct Hours {
    from: String,
    until: String,
}

#[derive(Deserialize)]
struct Chains {
    office: Vec<String>,
    night: Vec<String>,
}

fn decide(event: Event<Alarm>) -> Result<Answer, String> {
    let alarm = event.data;
    if let Some(who) = alarm.taken_by {
        return Ok(skip(format!("{who} has taken it")));
    }
    let (in_office, when) = office()?;
    let chains: Chains = config("chain")?.ok_or("plugin.yaml has no config.chain")?;
    let chain = if in_office { chains.office } else { chains.night };
    let step: u32 = config("step_minutes")?.unwrap_or(15).max(1);
    let reached = (alarm.minutes_open / step) as usize + 1;
    let decision = Decision::new("alarm_escalation")
        .var("alarm", alarm.name.as_str())
        .var("details", if alarm.details.is_empty() { "none" } else { alarm.details.as_str() })
        .var("minutes", alarm.minutes_open)
        .urgent()
        .because(format!("{when}, open for {} minutes", alarm.minutes_open));
    Ok(chain.into_iter().take(reached).fold(decision, Decision::group).into())
}

/// Whether people are in the office now, and why, in words.
fn office() -> Result<(bool, &'static str), String> {
    let zone: String = config("time_zone")?.unwrap_or_else(|| "UTC".to_owned());
    let zone = TimeZone::get(&zone).map_err(|error| format!("invalid config.time_zone: {error}"))?;
    let here = now().to_zoned(zone);
    let holidays: Vec<String> = config("holidays")?.unwrap_or_default();
    if holidays.contains(&here.date().to_string()) {
        return Ok((false, "a holiday"));
    }
    if matches!(here.weekday(), civil::Weekday::Saturday | civil::Weekday::Sunday) {
        return Ok((false, "a weekend"));
    }
    let hours: Hours = config("office_hours")?.ok_or("plugin.yaml has no config.office_hours")?;
    let time = |text: &str| {
        text.parse::<civil::Time>()
            .map_err(|error| format!("invalid time {text:?} in config.office_hours: {error}"))
    };
    let open = (time(&hours.from)?..time(&hours.until)?).contains(&here.time());
    Ok(if open { (true, "office hours") } else { (false, "outside office hours") })
}

router!(decide);

#[cfg(test)]
mod tests {
    use hookswitch_sdk::testing::World;
    use serde_json::json;

    use super::*;

    fn groups(now: &str, minutes: u32) -> Vec<String> {
        let world = World::new()
            .now(now)
            .config("time_zone", "Africa/Harare")
            .config("holidays", ["2026-12-25"])
            .config("office_hours", json!({"from": "08:00", "until": "17:00"}))
            .config("chain", json!({"office": ["A", "B", "C"], "night": ["B", "C"]}));
        let event = json!({"type": "alarm.raised", "data": {"name": "Battery", "minutes_open": minutes}});
        match world.run(|| decide(Event::from_json(&event.to_string())?)).unwrap() {
            Answer::Notify(decisions) => decisions[0].groups.clone(),
            Answer::Skip(why) => panic!("{why}"),
        }
    }

    #[test]
    fn the_chain_goes_by_the_clock_of_the_place() {
        // Harare is two hours ahead of UTC.
        assert_eq!(groups("2026-11-23T06:30:00Z", 0), ["A"]);
        assert_eq!(groups("2026-11-23T05:30:00Z", 0), ["B"]);
        assert_eq!(groups("2026-11-22T09:00:00Z", 0), ["B"], "a Sunday");
        assert_eq!(groups("2026-12-25T09:00:00Z", 0), ["B"], "a holiday");
    }

    #[test]
    fn what_nobody_takes_goes_further() {
        assert_eq!(groups("2026-11-23T09:00:00Z", 16), ["A", "B"]);
        assert_eq!(groups("2026-11-23T09:00:00Z", 500), ["A", "B", "C"]);
    }
}
