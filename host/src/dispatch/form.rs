//! How a message goes out now: free-form, as a Meta template, or not yet. Pure.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use hookswitch_core::{
    domain::Mode,
    plan::{InUse, MetaName},
};
use jiff::Timestamp;

use super::job::Job;
use crate::whatsapp::Form;

/// A version that Meta refused is not tried again for so long; what Meta has is listed anew meanwhile.
pub const PARKED_FOR: Duration = Duration::from_secs(60);

/// Versions of templates that Meta has refused, and until when nothing goes out as these.
pub type Parked = HashMap<MetaName, Instant>;

/// How a job goes out.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Free-form.
    Text,
    /// As this Meta template.
    Template(MetaName),
    /// Not before the recipient writes in, for this reason.
    Held(&'static str),
    /// Not before then: all versions that fit are parked.
    Parked(Instant),
}

impl Shape {
    /// What is sent, where something is.
    pub fn form(&self) -> Form {
        match self {
            Shape::Text => Form::Text,
            _ => Form::Template,
        }
    }
}

const NO_WINDOW: &str =
    "waits for the recipient to write in: it goes out free-form only, and their 24-hour window is closed";
const NO_TEMPLATE: &str = "waits for Meta to approve a version of the template";
const NO_TEMPLATE_NO_WINDOW: &str = "waits for the recipient to write in, or for Meta to approve a version of the template: \
                                     their 24-hour window is closed";

/// How a job goes out now.
pub fn shape(job: &Job, in_use: &InUse, parked: &Parked, now: Timestamp, instant: Instant) -> Shape {
    let notification = &job.logged.notification;
    let mode = notification.message.mode;
    let is_open = !job.as_template && job.logged.window_until.is_some_and(|until| now < until);
    if is_open && mode != Mode::Template {
        return Shape::Text;
    }
    if mode == Mode::Text {
        return Shape::Held(NO_WINDOW);
    }
    let mut until: Option<Instant> = None;
    for version in in_use.approved(&notification.template, &notification.message) {
        match parked.get(&version) {
            Some(end) if *end > instant => until = Some(until.map_or(*end, |until| until.min(*end))),
            _ => return Shape::Template(version),
        }
    }
    match until {
        Some(until) => Shape::Parked(until),
        None if mode == Mode::Template => Shape::Held(NO_TEMPLATE),
        None => Shape::Held(NO_TEMPLATE_NO_WINDOW),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeMap;

    use super::{super::job::testing::job, *};
    use hookswitch_core::domain::Priority;

    fn shape_of(mode: Mode, window: Option<i64>, in_use: &InUse, parked: &Parked) -> Shape {
        let mut job = job(1, "263771000001", Priority::Normal);
        job.logged.notification.message.mode = mode;
        job.logged.notification.message.template = "t_v2".to_owned();
        job.logged.window_until = window.map(|second| Timestamp::from_second(second).unwrap());
        shape(&job, in_use, parked, Timestamp::from_second(100).unwrap(), Instant::now())
    }

    #[test]
    fn auto_is_free_form_while_the_window_is_open() {
        let (asked, none) = (InUse::new(BTreeMap::new()), Parked::new());
        assert_eq!(shape_of(Mode::Auto, Some(101), &asked, &none), Shape::Text);
        assert_eq!(shape_of(Mode::Auto, Some(100), &asked, &none), Shape::Held(NO_TEMPLATE_NO_WINDOW));
        assert_eq!(shape_of(Mode::Auto, None, &asked, &none), Shape::Held(NO_TEMPLATE_NO_WINDOW));
        let unasked = InUse::default();
        assert!(
            matches!(shape_of(Mode::Auto, None, &unasked, &none), Shape::Template(name) if name.name == "t_v2")
        );
    }

    #[test]
    fn text_waits_for_the_window_and_a_template_for_its_approval() {
        let (asked, none) = (InUse::new(BTreeMap::new()), Parked::new());
        assert_eq!(shape_of(Mode::Text, Some(101), &asked, &none), Shape::Text);
        assert_eq!(shape_of(Mode::Text, None, &asked, &none), Shape::Held(NO_WINDOW));
        assert_eq!(shape_of(Mode::Template, Some(101), &asked, &none), Shape::Held(NO_TEMPLATE));
    }

    #[test]
    fn a_version_that_was_refused_rests() {
        let in_use = InUse::default();
        let Shape::Template(name) = shape_of(Mode::Template, None, &in_use, &Parked::new()) else { panic!() };
        let until = Instant::now() + PARKED_FOR;
        let parked = |until| Parked::from([(name.clone(), until)]);
        assert_eq!(shape_of(Mode::Template, None, &in_use, &parked(until)), Shape::Parked(until));
        let past = parked(Instant::now());
        assert!(matches!(shape_of(Mode::Template, None, &in_use, &past), Shape::Template(_)));
    }
}
