//! Random moments that can be had again: `HOOKSWITCH_FAULTS_SEED`.

use std::{env, sync::OnceLock, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// The run's seed: what the environment says, or another one each time.
pub fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| match env::var("HOOKSWITCH_FAULTS_SEED") {
        Ok(seed) => {
            seed.parse().unwrap_or_else(|_| panic!("HOOKSWITCH_FAULTS_SEED is {seed:?}, not a number"))
        }
        Err(_) => rand::random(),
    })
}

/// The random numbers of one case.
pub struct Chance(StdRng);

impl Chance {
    /// Those of the run's seed for this case.
    pub fn of(case: &str) -> Chance {
        let of_case = case.bytes().fold(seed(), |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        Chance(StdRng::seed_from_u64(of_case))
    }

    /// Others, for a task of the case.
    pub fn another(&mut self) -> Chance {
        Chance(StdRng::seed_from_u64(self.0.random()))
    }

    pub fn fraction(&mut self) -> f64 {
        self.0.random()
    }

    /// One of `least..=most`.
    pub fn number(&mut self, least: usize, most: usize) -> usize {
        self.0.random_range(least..=most)
    }

    /// Anywhere between the two.
    pub fn between(&mut self, least_ms: u64, most_ms: u64) -> Duration {
        Duration::from_millis(self.0.random_range(least_ms..=most_ms))
    }
}
