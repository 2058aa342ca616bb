//! All templates of the account.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Template, TemplateStatus, samples};
use crate::error::GraphError;

/// How many templates an account may have (Meta, verified accounts).
pub const TEMPLATES: usize = 6_000;

/// Deleted names that are remembered; at Meta, all are.
const BLOCKED: usize = 10_000;

/// All templates of the account, in the order of their creation.
#[derive(Default)]
pub struct Templates {
    all: Vec<Template>,
    next_seq: u64,
    by_name: HashMap<String, Vec<usize>>,
    reviews: Vec<(Instant, String)>,
    blocked: HashMap<(String, String), Timestamp>,
}

impl Templates {
    /// With the samples that Meta puts into each new account.
    pub fn with_samples(now: Timestamp) -> Self {
        let mut templates = Templates::default();
        samples::samples(now).for_each(|sample| templates.push(sample));
        templates
    }

    fn push(&mut self, mut template: Template) {
        self.next_seq += 1;
        template.seq = self.next_seq;
        self.by_name.entry(template.name.clone()).or_default().push(self.all.len());
        self.all.push(template);
    }

    fn index(&mut self) {
        self.by_name.clear();
        for (index, template) in self.all.iter().enumerate() {
            self.by_name.entry(template.name.clone()).or_default().push(index);
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Template] {
        &self.all
    }

    /// Those with this name, in all languages.
    pub fn named(&mut self, name: &str) -> impl Iterator<Item = &mut Template> {
        self.all.iter_mut().filter(move |template| template.name == name)
    }

    /// Ends the reviews of these before their time, with no verdict.
    pub fn withdraw(&mut self, ids: &[String]) {
        self.reviews.retain(|(_, id)| !ids.contains(id));
    }

    /// Whether this name was deleted in this language in the last 30 days.
    pub fn is_blocked(&self, name: &str, language: &str, now: Timestamp) -> bool {
        let key = (name.to_owned(), language.to_owned());
        self.blocked.get(&key).is_some_and(|until| *until > now)
    }

    /// By name and language.
    pub fn find(&self, name: &str, language: &str) -> Option<&Template> {
        let indices = self.by_name.get(name)?;
        indices.iter().map(|index| &self.all[*index]).find(|template| template.language == language)
    }

    /// By Meta's id.
    pub fn by_id(&mut self, id: &str) -> Option<&mut Template> {
        self.all.iter_mut().find(|template| template.id == id)
    }

    /// Adds one.
    ///
    /// # Errors
    /// 2388019 when there are too many.
    pub fn add(&mut self, template: Template) -> Result<(), GraphError> {
        if self.all.len() >= TEMPLATES {
            return Err(GraphError::template(
                2_388_019,
                "Message template limit exceeded",
                format!("This account has {TEMPLATES} templates, which is the limit."),
            ));
        }
        self.push(template);
        Ok(())
    }

    /// Sends one into review.
    pub fn submit(&mut self, id: &str, now: Instant, review_ms: u64) {
        self.withdraw(&[id.to_owned()]);
        self.reviews.push((now + Duration::from_millis(review_ms), id.to_owned()));
    }

    /// When the next review ends.
    pub fn next_review(&self) -> Option<Instant> {
        self.reviews.iter().map(|(at, _)| *at).min()
    }

    /// Ends the reviews that are due; returns the values of their webhooks.
    pub fn review(&mut self, now: Instant) -> Vec<Value> {
        if self.next_review().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let due: Vec<String> = self.reviews.extract_if(.., |(at, _)| *at <= now).map(|(_, id)| id).collect();
        let mut values = Vec::new();
        for id in due {
            let Some(template) = self.by_id(&id) else { continue };
            let (status, reason) = template.verdict();
            template.status = status;
            template.rejected_reason = reason;
            values.push(template.event(status.as_str(), reason));
        }
        values
    }

    /// Removes some; their names stay blocked for 30 days where they were approved. Returns how many.
    pub fn remove(&mut self, gone: impl Fn(&Template) -> bool, now: Timestamp) -> usize {
        self.blocked.retain(|_, until| *until > now);
        if self.blocked.len() >= BLOCKED {
            self.blocked.clear();
        }
        let before = self.all.len();
        let blocked_until = now.checked_add(SignedDuration::from_hours(30 * 24)).unwrap_or(now);
        for template in self.all.iter().filter(|template| gone(template)) {
            if template.status == TemplateStatus::Approved {
                let key = (template.name.clone(), template.language.clone());
                self.blocked.insert(key, blocked_until);
            }
        }
        self.all.retain(|template| !gone(template));
        self.index();
        before - self.all.len()
    }
}
