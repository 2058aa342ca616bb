//! The task that owns the book and the paces.

use std::{
    mem,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::state::Dispatch;
use crate::{lanes::Unread, store::StoreError};

/// The net under the wake-ups; different for each host, so that they do not come together.
const POLL: Duration = Duration::from_millis(1_500);
const POLL_JITTER_MS: u64 = 300;
const CHECKPOINT: Duration = Duration::from_secs(2);
const AFTER_AN_ERROR: Duration = Duration::from_millis(500);

impl Dispatch {
    /// Sends until `stop`; then waits for the answers that are under way, and stores how far it got.
    pub async fn run(mut self, stop: CancellationToken) {
        let jitter = Duration::from_millis(rand::random_range(0..POLL_JITTER_MS));
        let mut poll = interval(POLL + jitter);
        let mut checkpoint = interval(CHECKPOINT);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        checkpoint.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed = None;
        let (mut polls, mut stores) = (false, false);
        while !stop.is_cancelled() {
            self.beat.touch();
            if !self.can_write() {
                // The host ends with this part, and what is open is read again.
                tracing::error!("the task that writes what became of messages has failed");
                return;
            }
            // However much there is to send.
            let is_poll = mem::take(&mut polls) || poll.tick().now_or_never().is_some();
            if mem::take(&mut stores) || checkpoint.tick().now_or_never().is_some() {
                self.store_checkpoints().await;
            }
            let round = match failed.take() {
                Some(error) => Err(error),
                None => self.round(is_poll).await,
            };
            let next = match round {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "failed to dispatch; reading on from the checkpoints");
                    self.book.start_over();
                    sleep(AFTER_AN_ERROR).await;
                    continue;
                }
            };
            if self.can_read_on() {
                // There is more to read and room for it: no reason to wait.
                continue;
            }
            tokio::select! {
                Some(intended) = self.intended.recv() => failed = self.take_intended(intended).err(),
                Some(answer) = self.answered.recv() => self.take_answer(answer),
                Some(place) = self.written.recv() => self.book.written(place),
                () = self.wake.heard() => self.look_into(self.wake.take()),
                Ok(()) = self.leases.changed() => {}
                _ = poll.tick() => polls = true,
                _ = checkpoint.tick() => stores = true,
                () = sleep_until(next.into()) => {}
                () = stop.cancelled() => {}
            }
        }
        self.drain().await;
        self.store_checkpoints().await;
    }

    /// One round: what has come in, lanes, log, sends. Tells when the next send may go.
    async fn round(&mut self, is_poll: bool) -> Result<Instant, StoreError> {
        self.take_all()?;
        let leases = self.leases.borrow_and_update().clone();
        let (taken, dropped) = self.book.readings.compare(&leases);
        if dropped {
            let readings = &self.book.readings;
            self.book.lines.retain_lanes(|lane| readings.hold(lane));
        }
        self.numbers.set_share(leases.lanes.len());
        if self.book.several_numbers {
            self.book.stuck = self.numbers.stuck(Instant::now());
        }
        // What is under way in a lane must be written before the lane can be read anew.
        let taken = taken.into_iter().filter(|(lane, _)| self.progress.idle(*lane)).collect();
        self.take_up(taken, leases.incarnation.as_ref()).await?;
        let now = self.store.now();
        if is_poll {
            self.numbers.show();
            self.look_into(Unread::All);
            self.book.searched = 0;
            self.look_after_waiting(now).await?;
        }
        self.read_log(now).await?;
        self.take_all()?;
        Ok(self.send_ready())
    }

    async fn look_after_waiting(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let instant = Instant::now();
        self.pairs.forget(instant);
        self.forget_counted(instant);
        self.parked.retain(|_, until| *until > instant);
        self.resolve_unknown(now).await?;
        self.read_due(now).await
    }

    /// Takes what has come in meanwhile.
    fn take_all(&mut self) -> Result<(), StoreError> {
        let mut done = Ok(());
        while let Ok(intended) = self.intended.try_recv() {
            done = done.and(self.take_intended(intended));
        }
        while let Ok(answer) = self.answered.try_recv() {
            self.take_answer(answer);
        }
        while let Ok(place) = self.written.try_recv() {
            self.book.written(place);
        }
        done
    }

    /// Waits until what is under way has its answer, and the answers are written.
    async fn drain(&mut self) {
        while !self.book.lines.are_idle() {
            tokio::select! {
                Some(intended) = self.intended.recv() => {
                    if let Err(error) = self.take_intended(intended) {
                        tracing::warn!(%error, "failed to begin what was to be sent");
                    }
                }
                Some(answer) = self.answered.recv() => self.take_answer(answer),
                Some(place) = self.written.recv() => self.book.written(place),
            }
        }
    }

    async fn store_checkpoints(&mut self) {
        let mut moved = self.book.readings.moved();
        let readings = &self.book.readings;
        let leases = self.leases.borrow().clone();
        // After a failover the lanes are held in new terms: the log may be another.
        moved.retain(|(track, _)| readings.are_current(track.lane(), &leases));
        if moved.is_empty() {
            return;
        }
        match self.store.checkpoint(self.host, &moved, leases.incarnation.as_ref()).await {
            Ok(()) => self.book.readings.stored(&moved),
            Err(error) => tracing::debug!(%error, "failed to store the checkpoints"),
        }
    }
}
