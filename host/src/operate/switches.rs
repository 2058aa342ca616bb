//! What operators stop and resume, at once on all hosts: rules, templates, groups, people, plugins, numbers, all sending.

use std::{collections::BTreeSet, sync::Arc};

use hookswitch_core::{
    catalog::Catalog,
    domain::{Senders, SwitchKind, SwitchMode, SwitchName, did_you_mean},
    plan::recipient,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Operate, Operator, Setup, mask};
use crate::store::{COUNTED, RESUMED_PER_SECOND, StoreError, SwitchFacts};

/// Maximum length of a reason, in characters.
const LONGEST_REASON: usize = 200;
/// Maximum number of messages per second that are sent after something is resumed.
const FASTEST: i32 = 1_000;
/// Names that are compared with one that is unknown.
const COMPARED: i64 = 500;

/// Something that is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Switch {
    /// What is stopped.
    pub kind: SwitchKind,
    /// Its name; `all` for all sending.
    pub name: String,
    /// What becomes of its messages. `resuming`: those that were held are being sent, and others are not stopped any more.
    pub messages: SwitchMode,
    /// The reason that was given.
    pub reason: String,
    /// Who stopped it: the name of an API key, or a user of the command line.
    pub by: String,
    /// Since when it is stopped.
    pub since: Timestamp,
    /// While it is resumed: how many held messages are sent per second; otherwise null.
    pub per_second: Option<i32>,
    /// Number of messages that wait for it, counted up to 10,000.
    pub held_messages: i64,
    /// Number of events that wait because the plugin is stopped, counted up to 10,000; 0 for all but plugins.
    pub held_events: i64,
    /// Whether there may be more messages or events than were counted.
    pub more: bool,
}

impl From<SwitchFacts> for Switch {
    fn from(facts: SwitchFacts) -> Self {
        Switch {
            kind: facts.name.kind,
            name: facts.name.name,
            messages: facts.mode,
            reason: facts.reason,
            by: facts.by,
            since: facts.since,
            per_second: facts.per_second,
            held_messages: facts.messages,
            held_events: facts.events,
            more: facts.messages >= COUNTED || facts.events >= COUNTED,
        }
    }
}

impl Switch {
    /// Without the numbers in what people wrote.
    pub fn without_personal(self) -> Switch {
        let mut reason = Some(self.reason);
        mask(&mut reason);
        Switch { reason: reason.unwrap_or_default(), ..self }
    }
}

/// Why something is not stopped or resumed. Each text stands alone.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// Nothing has this name.
    #[error("unknown {} {:?}", .name.kind, .name.name)]
    Unknown {
        /// What was named.
        name: SwitchName,
        /// The names that exist, or some of them.
        known: Vec<String>,
    },
    /// It is not stopped.
    #[error("{name} is not stopped")]
    NotStopped {
        /// What was named.
        name: SwitchName,
        /// What is stopped of its kind.
        stopped: Vec<String>,
    },
    /// Several people have the number.
    #[error("several people have the number {number}: {}", .people.join(", "))]
    Ambiguous {
        /// The number as given.
        number: String,
        /// Their usernames.
        people: Vec<String>,
    },
    /// An invalid value.
    #[error("{0}")]
    Invalid(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SwitchError {
    /// The name that was probably meant, or those that exist.
    pub fn help(&self) -> Option<String> {
        let (SwitchError::Unknown { name, known } | SwitchError::NotStopped { name, stopped: known }) = self
        else {
            return None;
        };
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        (!known.is_empty()).then(|| did_you_mean(&name.name, known))
    }
}

/// What the rules and the settings know the names of.
#[derive(Clone, Debug, Default)]
pub struct Names {
    rules: BTreeSet<String>,
    templates: BTreeSet<String>,
    plugins: BTreeSet<String>,
    senders: Option<Senders>,
}

impl Names {
    /// The names in rules, where these can be read, and of the sending numbers, where these are known.
    pub fn of(catalog: Option<&Catalog>, senders: Option<&Senders>) -> Names {
        let names = Names { senders: senders.cloned(), ..Names::default() };
        match catalog {
            Some(catalog) => names.with(catalog),
            None => names,
        }
    }

    /// With the names in these rules, too.
    fn with(mut self, catalog: &Catalog) -> Names {
        let rules = catalog.uses.iter().map(|of| of.rule.as_str());
        self.rules.extend(rules.flat_map(|rule| [rule, file(rule)]).map(str::to_owned));
        self.templates.extend(catalog.templates.names().into_iter().map(str::to_owned));
        self.plugins.extend(catalog.plugins.keys().cloned());
        self
    }
}

/// A rule's place without its line.
fn file(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(file, _)| file)
}

impl Operate {
    /// What is stopped, by kind and name.
    pub async fn switches(&self) -> Result<Vec<Switch>, StoreError> {
        Ok(self.store.switches().await?.into_iter().map(Switch::from).collect())
    }

    /// Stops something, or changes what becomes of its messages: from then on no host begins to send a message that it
    /// covers. Returns what is stopped now.
    ///
    /// # Errors
    /// If nothing has this name, or the reason is invalid.
    pub async fn stop(
        &self,
        by: &Operator,
        name: &SwitchName,
        is_dropped: bool,
        reason: &str,
        names: &Names,
    ) -> Result<Switch, SwitchError> {
        let reason = reason.trim();
        if let Some(why) = wrong_reason(reason) {
            return Err(SwitchError::Invalid(why));
        }
        let name = self.known(name, names).await?;
        let messages = if is_dropped { SwitchMode::Dropped } else { SwitchMode::Held };
        let what = json!({ "kind": name.kind, "name": name.name, "messages": messages });
        let act = by.act("switch.stop", &what, Some(reason));
        self.store.stop(&name, is_dropped, reason, &act).await?;
        self.store.notify().await?;
        let now = self.switches().await?;
        let stopped = now.into_iter().find(|of| (of.kind, &of.name) == (name.kind, &name.name));
        stopped.ok_or(SwitchError::NotStopped { name, stopped: Vec::new() })
    }

    /// Resumes something: what was held is sent, the oldest first and so many a second, but for what has expired or is
    /// stopped by something else, too. Returns what was stopped.
    ///
    /// # Errors
    /// If it is not stopped, or the pace or the reason is invalid.
    pub async fn resume(
        &self,
        by: &Operator,
        name: &SwitchName,
        per_second: Option<i32>,
        reason: Option<&str>,
        names: &Names,
    ) -> Result<Switch, SwitchError> {
        let per_second = per_second.unwrap_or(RESUMED_PER_SECOND);
        if !(1..=FASTEST).contains(&per_second) {
            let why = format!("the number of messages per second must be from 1 to {FASTEST}");
            return Err(SwitchError::Invalid(why));
        }
        if let Some(why) = reason.map(str::trim).and_then(wrong_reason) {
            return Err(SwitchError::Invalid(why));
        }
        let name = self.stopped_as(name, names).await?;
        let what = json!({ "kind": name.kind, "name": name.name, "per_second": per_second });
        let act = by.act("switch.resume", &what, reason.map(str::trim));
        let resumed = self.store.resume(&name, per_second, &act).await?;
        self.store.notify().await?;
        resumed.map(Switch::from).ok_or(SwitchError::NotStopped { name, stopped: Vec::new() })
    }

    /// The switch that somebody means who resumes it; what it is for need not exist any more.
    async fn stopped_as(&self, name: &SwitchName, names: &Names) -> Result<SwitchName, SwitchError> {
        let stopped = self.store.switches().await?;
        let is_there = |name: &SwitchName| stopped.iter().any(|facts| facts.name == *name);
        if is_there(name) {
            return Ok(name.clone());
        }
        let of_kind = stopped.iter().filter(|facts| facts.name.kind == name.kind);
        let of_kind = of_kind.map(|facts| facts.name.name.clone()).collect();
        match self.known(name, names).await {
            Ok(known) if is_there(&known) => Ok(known),
            Err(error @ SwitchError::Store(_)) => Err(error),
            Ok(_) | Err(_) => Err(SwitchError::NotStopped { name: name.clone(), stopped: of_kind }),
        }
    }

    /// A switch by the name that it is stored under.
    async fn known(&self, asked: &SwitchName, names: &Names) -> Result<SwitchName, SwitchError> {
        let SwitchName { kind, name } = asked;
        if name.contains('\0') {
            return Err(SwitchError::Invalid("a name must not contain the character U+0000".to_owned()));
        }
        let named = |name: &str| SwitchName { kind: *kind, name: name.to_owned() };
        let unknown = |known: Vec<String>| SwitchError::Unknown { name: asked.clone(), known };
        let listed = |known: &BTreeSet<String>| unknown(known.iter().cloned().collect());
        match kind {
            SwitchKind::Sending if name == SwitchName::ALL => Ok(named(name)),
            SwitchKind::Sending => Err(unknown(vec![SwitchName::ALL.to_owned()])),
            SwitchKind::Template => {
                let is_known = names.templates.contains(name) || self.store.knows_template(name).await?;
                if is_known { Ok(named(name)) } else { Err(listed(&names.templates)) }
            }
            SwitchKind::Rule => {
                let mut rules = names.rules.clone();
                let lately = self.store.decided_lately().await?;
                rules.extend(lately.keys().flat_map(|rule| [rule.as_str(), file(rule)]).map(str::to_owned));
                if rules.contains(name) { Ok(named(name)) } else { Err(listed(&rules)) }
            }
            SwitchKind::Plugin => {
                let mut plugins = names.plugins.clone();
                plugins.extend(self.store.parked().await?.into_iter().map(|of| of.plugin));
                if plugins.contains(name) { Ok(named(name)) } else { Err(listed(&plugins)) }
            }
            SwitchKind::Group => match self.store.find_group(name).await? {
                Some(_) => Ok(named(name)),
                None => Err(unknown(self.store.first_groups(COMPARED).await?)),
            },
            SwitchKind::Person => self.person_named(asked).await,
            SwitchKind::Number => {
                let Some(senders) = &names.senders else {
                    let is_id = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
                    let why = "a sending number is named by Meta's id of it: digits only".to_owned();
                    return if is_id { Ok(named(name)) } else { Err(SwitchError::Invalid(why)) };
                };
                let ids: Vec<String> = senders.ids().map(str::to_owned).collect();
                match senders.get(Some(name)) {
                    _ if ids.contains(name) => Ok(named(name)),
                    Ok(id) => Ok(named(id)),
                    Err(_) => Err(unknown(ids)),
                }
            }
        }
    }

    /// The person with this username, or the only one with this number.
    async fn person_named(&self, asked: &SwitchName) -> Result<SwitchName, SwitchError> {
        let named = |name: String| SwitchName { kind: SwitchKind::Person, name };
        if self.store.find_person(&asked.name).await?.is_some() {
            return Ok(asked.clone());
        }
        let mut people = match recipient(&asked.name) {
            Ok(address) => self.store.people_at(&address).await?,
            Err(_) => Vec::new(),
        };
        match people.pop() {
            Some(only) if people.is_empty() => Ok(named(only)),
            Some(last) => {
                people.push(last);
                Err(SwitchError::Ambiguous { number: asked.name.clone(), people })
            }
            None => {
                let known = self.store.list_people(None, "", COMPARED).await?;
                let known = known.into_iter().map(|person| person.username).collect();
                Err(SwitchError::Unknown { name: asked.clone(), known })
            }
        }
    }
}

fn wrong_reason(reason: &str) -> Option<String> {
    if reason.contains('\0') {
        return Some("a reason must not contain the character U+0000".to_owned());
    }
    let length = reason.chars().count();
    (length == 0 || length > LONGEST_REASON)
        .then(|| format!("a reason has 1 to {LONGEST_REASON} characters, got {length}"))
}

impl Setup {
    /// The names that this host knows by its rules and its settings.
    fn switch_names(&self) -> Names {
        let in_force = self.live().in_force();
        let senders = Some(&self.settings.whatsapp_phone_number_id);
        in_force.all().fold(Names::of(None, senders), |names, catalog| names.with(catalog))
    }

    /// A switch by the name that it would be stored under.
    ///
    /// # Errors
    /// If nothing has this name.
    pub async fn switch_named(&self, name: &SwitchName) -> Result<SwitchName, SwitchError> {
        self.operate().known(name, &self.switch_names()).await
    }

    /// Stops something: [`Operate::stop`].
    ///
    /// # Errors
    /// As there.
    pub async fn stop(
        self: &Arc<Self>,
        by: &Operator,
        name: &SwitchName,
        is_dropped: bool,
        reason: &str,
    ) -> Result<Switch, SwitchError> {
        let stopped = self.operate().stop(by, name, is_dropped, reason, &self.switch_names()).await?;
        self.check_anew();
        Ok(stopped)
    }

    /// Resumes something: [`Operate::resume`].
    ///
    /// # Errors
    /// As there.
    pub async fn resume(
        self: &Arc<Self>,
        by: &Operator,
        name: &SwitchName,
        per_second: Option<i32>,
        reason: Option<&str>,
    ) -> Result<Switch, SwitchError> {
        let resumed = self.operate().resume(by, name, per_second, reason, &self.switch_names()).await?;
        self.check_anew();
        Ok(resumed)
    }

    /// Nobody waits for the check that may be running.
    fn check_anew(self: &Arc<Self>) {
        let setup = self.clone();
        tokio::spawn(async move { setup.has_changed().await });
    }
}
