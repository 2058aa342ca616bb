//! A world for tests on your machine, in place of the host.
//!
//! ```
//! use hookswitch_sdk::{config, testing::World};
//!
//! let world = World::new().config("limit", 5);
//! assert_eq!(world.run(|| config("limit")), Ok(Some(5)));
//! ```

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use serde::Serialize;

use crate::Level;
#[cfg(not(target_arch = "wasm32"))]
use crate::http::{Error, Request, Response};

/// The answers of the host in a test. Without a world, every answer is empty.
///
/// ```
/// use hookswitch_sdk::{http, testing::World};
///
/// let world = World::new().slow("https://stock.example.com/");
/// assert!(matches!(world.run(|| http::get("https://stock.example.com/").send()), Err(http::Error::Timeout)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct World {
    now: Option<String>,
    config: HashMap<String, String>,
    rows: HashMap<String, HashMap<String, String>>,
    answers: HashMap<String, Option<(u16, Vec<u8>)>>,
    lines: Rc<RefCell<Vec<(Level, String)>>>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

impl World {
    /// Creates an empty world.
    pub fn new() -> World {
        World::default()
    }

    /// Sets the time, in RFC 3339 (default 1970-01-01T00:00:00Z).
    pub fn now(mut self, now: &str) -> World {
        self.now = Some(now.to_owned());
        self
    }

    /// Adds a value of the configuration.
    pub fn config(mut self, key: &str, value: impl Serialize) -> World {
        self.config.insert(key.to_owned(), json(value));
        self
    }

    /// Adds a row of a table.
    pub fn row(mut self, table: &str, key: &str, row: impl Serialize) -> World {
        self.rows.entry(table.to_owned()).or_default().insert(key.to_owned(), json(row));
        self
    }

    /// Sets the answer to requests to this URL.
    pub fn answer(mut self, url: &str, status: u16, body: &str) -> World {
        self.answers.insert(url.to_owned(), Some((status, body.as_bytes().to_vec())));
        self
    }

    /// Lets requests to this URL time out.
    pub fn slow(mut self, url: &str) -> World {
        self.answers.insert(url.to_owned(), None);
        self
    }

    /// Runs a closure in this world.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let _restore = Restore(WORLD.replace(self.clone()));
        work()
    }

    /// Returns the logged lines.
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.lines.borrow().clone()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn log(&self, level: Level, message: &str) {
        self.lines.borrow_mut().push((level, message.to_owned()));
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn time(&self) -> String {
        self.now.clone().unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        self.config.get(key).cloned()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn find(&self, table: &str, key: &str) -> Result<Option<String>, String> {
        let rows = self.rows.get(table).ok_or_else(|| format!("plugin.yaml has no table `{table}`"))?;
        Ok(rows.get(key).cloned())
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn ask(&self, request: Request) -> Result<Response, Error> {
        match self.answers.get(&request.url) {
            Some(Some((status, body))) => {
                Ok(Response { status: *status, headers: Vec::new(), body: body.clone() })
            }
            Some(None) => Err(Error::Timeout),
            None => Err(Error::Denied(format!("this world has no answer for {}", request.url))),
        }
    }
}

/// Restores the world of the thread, even after a panic.
struct Restore(World);

impl Drop for Restore {
    fn drop(&mut self) {
        WORLD.set(std::mem::take(&mut self.0));
    }
}

/// Asks the world of this thread.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn current<T>(ask: impl FnOnce(&World) -> T) -> T {
    let world = WORLD.with_borrow(World::clone);
    ask(&world)
}

fn json(value: impl Serialize) -> String {
    serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned())
}
