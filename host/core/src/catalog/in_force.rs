//! The rules that decide: one catalog or, while a release decides for a share of the lanes, two.

use std::sync::Arc;

use super::Catalog;
use crate::domain::{DIGEST_TYPE, Digest, Event, Lane, LaneShare};

/// The catalogs that decide, and for which lanes. Never changes: whoever decides several events takes it once.
#[derive(Clone)]
pub struct InForce {
    main: Arc<Catalog>,
    share: Option<(LaneShare, Arc<Catalog>)>,
}

impl InForce {
    /// One catalog for all lanes or, with a share, another one for the lanes of that share.
    pub fn new(main: Arc<Catalog>, share: Option<(LaneShare, Arc<Catalog>)>) -> InForce {
        InForce { main, share }
    }

    /// The catalog that decides for all lanes but those of a share: also what is asked about that has no lane.
    pub fn main(&self) -> &Arc<Catalog> {
        &self.main
    }

    /// The catalog that decides for a share of the lanes, if one does.
    pub fn share(&self) -> Option<(LaneShare, &Arc<Catalog>)> {
        self.share.as_ref().map(|(share, catalog)| (*share, catalog))
    }

    /// The catalogs, the main one first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Catalog>> {
        std::iter::once(&self.main).chain(self.share.as_ref().map(|(_, catalog)| catalog))
    }

    /// The catalog that decides the events of a lane.
    pub fn of(&self, lane: Lane) -> &Arc<Catalog> {
        match &self.share {
            Some((share, catalog)) if share.has(lane) => catalog,
            _ => &self.main,
        }
    }

    /// The catalog that decides an event. A digest has a lane of its own, but its decision came from the rules of other
    /// events: if those of its lane lack its template, it is decided by the others.
    pub fn of_event(&self, lane: Lane, event: &Event) -> &Arc<Catalog> {
        let of_lane = self.of(lane);
        if self.share.is_none() || event.kind != DIGEST_TYPE {
            return of_lane;
        }
        let Ok(digest) = serde_json::from_str::<Digest>(event.data.get()) else { return of_lane };
        let template = digest.decision.template.as_str();
        let knows = |catalog: &&Arc<Catalog>| catalog.templates.get(template).is_some();
        if knows(&of_lane) { of_lane } else { self.all().find(knows).unwrap_or(of_lane) }
    }
}
