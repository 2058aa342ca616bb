//! A connection on loan from the pool, on which every statement has a deadline, and transactions that end by themselves
//! where their host cannot end them.

use std::{
    future::Future,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool::managed::{self, Metrics, Object, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use futures_util::{FutureExt, future::join3};
use tokio::time::timeout;
use tokio_postgres::{Row, Statement, ToStatement, types::ToSql};

use super::{
    Incarnation, StoreError,
    connect::{Connector, WHOSE, first},
};
use crate::{config::Limits, metrics::DatabaseMetrics};

/// For a request to cancel a statement to arrive.
const CANCEL: Duration = Duration::from_secs(5);

/// Begins a transaction, in one round trip. `SET LOCAL` and not `options`, so that it works through poolers.
fn begin(limits: &Limits) -> String {
    format!(
        "BEGIN; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = {}",
        limits.statement.as_millis(),
        limits.lock.as_millis(),
        limits.idle.as_millis()
    )
}

/// Opens and checks the connections of a pool.
pub(super) struct Manager {
    pub(super) connector: Arc<Connector>,
}

impl managed::Manager for Manager {
    type Type = ClientWrapper;
    type Error = StoreError;

    async fn create(&self) -> Result<ClientWrapper, StoreError> {
        self.connector.client().await.inspect_err(|error| self.connector.metrics.failed(error.kind()))
    }

    async fn recycle(&self, client: &mut ClientWrapper, _: &Metrics) -> RecycleResult<StoreError> {
        if client.is_closed() { Err(RecycleError::message("closed")) } else { Ok(()) }
    }
}

/// A connection on loan.
pub(super) struct Session {
    /// `None` once it was given back.
    client: Option<Object<Manager>>,
    limits: Arc<Limits>,
    metrics: DatabaseMetrics,
    /// A statement got no answer: the next user must not wait behind it.
    silent: AtomicBool,
}

/// Sets [`Session::silent`] unless the answer came, also where the caller gave up.
struct Asked<'a>(&'a AtomicBool, bool);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.store(true, Ordering::Release);
        }
    }
}

impl Session {
    pub(super) fn new(client: Object<Manager>, limits: Arc<Limits>, metrics: DatabaseMetrics) -> Session {
        Session { client: Some(client), limits, metrics, silent: AtomicBool::new(false) }
    }

    #[expect(clippy::expect_used, reason = "only `drop` takes it")]
    fn client(&self) -> &ClientWrapper {
        self.client.as_ref().expect("a client until it is dropped")
    }

    async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        let mut asked = Asked(&self.silent, false);
        if let Ok(answer) = timeout(self.limits.statement, answer).await {
            asked.1 = true;
            return answer.map_err(|error| self.counted(error.into()));
        }
        drop(asked);
        self.give_up();
        let seconds = self.limits.statement.as_secs_f64();
        Err(self.counted(StoreError::Unreachable(format!("no response to a statement within {seconds} s"))))
    }

    fn counted(&self, error: StoreError) -> StoreError {
        // What PostgreSQL refuses after a failure is that failure.
        if !error.is_consequence() {
            self.metrics.failed(error.kind());
        }
        error
    }

    /// After silence: asks PostgreSQL to end the statement, and closes what is idle, as it is likely to be as dead.
    fn give_up(&self) {
        let Some(pool) = self.client.as_ref().and_then(Object::pool) else { return };
        pool.retain(|_, _| false);
        let (token, tls) = (self.client().cancel_token(), pool.manager().connector.tls.clone());
        tokio::spawn(async move {
            // Where it does not arrive, the server is gone, or ends the statement by its own limits.
            let _ = timeout(CANCEL, token.cancel_query(tls)).await;
        });
    }

    pub(super) async fn prepare_cached(&self, sql: &str) -> Result<Statement, StoreError> {
        self.ask(self.client().prepare_cached(sql)).await
    }

    pub(super) async fn query<T: ?Sized + ToStatement>(
        &self,
        statement: &T,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.ask(self.client().query(statement, parameters)).await
    }

    pub(super) async fn query_one<T: ?Sized + ToStatement>(
        &self,
        statement: &T,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, StoreError> {
        self.ask(self.client().query_one(statement, parameters)).await
    }

    pub(super) async fn query_opt<T: ?Sized + ToStatement>(
        &self,
        statement: &T,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, StoreError> {
        self.ask(self.client().query_opt(statement, parameters)).await
    }

    pub(super) async fn execute<T: ?Sized + ToStatement>(
        &self,
        statement: &T,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        self.ask(self.client().execute(statement, parameters)).await
    }

    pub(super) async fn batch_execute(&self, sql: &str) -> Result<(), StoreError> {
        self.ask(self.client().batch_execute(sql)).await
    }

    /// Begins a transaction that PostgreSQL ends by itself where this host falls silent.
    pub(super) async fn transaction(&mut self) -> Result<Transaction<'_>, StoreError> {
        let begin = begin(&self.limits);
        let transaction = Transaction { session: self, ended: false };
        transaction.batch_execute(&begin).await?;
        Ok(transaction)
    }

    /// The same, on this server, for what is written by places that were read from it: another's logs may lack their ends,
    /// and have other rows there.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where another answers.
    pub(super) async fn transaction_on(
        &mut self,
        incarnation: &Incarnation,
    ) -> Result<Transaction<'_>, StoreError> {
        let begin = format!("{}; {WHOSE}", begin(&self.limits));
        let transaction = Transaction { session: self, ended: false };
        let answer = transaction.ask(transaction.client().simple_query(&begin)).await?;
        if answer.iter().find_map(first) != Some(incarnation) {
            return Err(StoreError::Busy("another PostgreSQL answers, or the same anew".to_owned()));
        }
        Ok(transaction)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.silent.load(Ordering::Acquire)
            && let Some(client) = self.client.take()
        {
            // Closes the connection, and makes room for another in the pool.
            drop(Object::take(client));
        }
    }
}

/// Sends three statements of a transaction on one way there and back. Where one fails, PostgreSQL refuses what it gets after
/// it, whichever that is: the failure is returned, not such a refusal.
pub(super) async fn together<A, B, C>(
    a: impl Future<Output = Result<A, StoreError>>,
    b: impl Future<Output = Result<B, StoreError>>,
    c: impl Future<Output = Result<C, StoreError>>,
) -> Result<(A, B, C), StoreError> {
    match join3(a, b, c).await {
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) if !error.is_consequence() => Err(error),
        (a, b, c) => Ok((a?, b?, c?)),
    }
}

/// A transaction; rolled back when it is dropped.
pub(super) struct Transaction<'a> {
    session: &'a mut Session,
    ended: bool,
}

impl Transaction<'_> {
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        // Before the answer: where it does not come, the connection is closed.
        self.ended = true;
        let committed = self.session.batch_execute("COMMIT").await;
        self.session.metrics.ended(committed.is_ok());
        committed
    }

    pub(super) async fn rollback(mut self) -> Result<(), StoreError> {
        self.ended = true;
        self.session.metrics.ended(false);
        self.session.batch_execute("ROLLBACK").await
    }
}

impl Deref for Transaction<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.session.metrics.ended(false);
            // Polled once, it is sent; the connection's task takes the answer.
            let _ = self.session.client().batch_execute("ROLLBACK").now_or_never();
        }
    }
}
