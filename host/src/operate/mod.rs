//! What operators list, look at and do, each once.

mod console;
mod events;
mod marks;
mod overview;
mod people;

pub use self::{events::Found, marks::next_mark, overview::Setup};
use crate::store::Store;

/// An operator's view of a database, and what an operator can do. Cheap to clone.
#[derive(Clone)]
pub struct Operate {
    store: Store,
}

impl Operate {
    /// What can be done with this database.
    pub fn new(store: Store) -> Operate {
        Operate { store }
    }

    /// PostgreSQL's time.
    pub fn now(&self) -> jiff::Timestamp {
        self.store.now()
    }
}
