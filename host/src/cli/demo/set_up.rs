//! Groups, people, open windows and a key, before the first sample.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::bail;
use hookswitch_simulator::Simulator;
use indicatif::ProgressBar;
use jiff::Timestamp;
use tokio::time::sleep;

use super::{people, samples::Sample, step};
use crate::{
    app::App,
    http::{ApiKey, Scope},
    store::ImportOptions,
};

/// How long all inbound messages may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Sets everything up and returns an API key. A repeated call changes nothing but the key.
///
/// # Errors
/// If the database or the webhook does not answer.
pub async fn set_up(
    app: &App,
    simulator: &Simulator,
    samples: &[Sample],
    bar: &ProgressBar,
) -> anyhow::Result<String> {
    let store = app.store();
    let catalog = app.catalog().current();
    let groups: Vec<&str> = catalog.groups.iter().map(|group| group.name.as_str()).collect();
    store.create_groups(&groups, None).await?;
    let people = people::people(&groups);
    store.import_people(&people, ImportOptions::default(), &mut |_| {}).await?;
    step(bar, &format!("created {} groups and {} people", groups.len(), people.len()));

    bar.set_message("everybody writes in, which opens their 24-hour windows");
    let began = Timestamp::now();
    let mut writers: BTreeSet<String> = BTreeSet::new();
    for person in &people {
        let Some(wa_id) = &person.address else { continue };
        simulator.inbound(wa_id, &person.name, "Good morning!").map_err(anyhow::Error::msg)?;
        writers.insert(wa_id.clone());
    }
    for contact in samples.iter().flat_map(|sample| &sample.contacts) {
        if writers.insert(contact.clone()) {
            simulator
                .inbound(contact, "A customer", "Hello, I have a question.")
                .map_err(anyhow::Error::msg)?;
        }
    }
    let give_up = Instant::now() + PATIENCE;
    loop {
        let contacts = store.contacts(&writers).await?;
        // Meta's times have whole seconds.
        let open = contacts
            .values()
            .filter(|contact| contact.last_inbound_at.is_some_and(|at| at.as_second() >= began.as_second()));
        if open.count() == writers.len() {
            break;
        }
        if Instant::now() > give_up {
            bail!("the first messages did not arrive through the webhook within {} s", PATIENCE.as_secs());
        }
        sleep(LOOK_AGAIN).await;
    }
    step(bar, &format!("{} people wrote in: their 24-hour windows are open", writers.len()));
    Ok(ApiKey::replace(store, "demo", &[Scope::Events, Scope::Read, Scope::Personal, Scope::Operate]).await?)
}
