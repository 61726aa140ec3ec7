//! What a seed decides: how often things go wrong, and how long they take.

use fastrand::Rng;

/// Microseconds of the simulation's clock.
pub(super) type Micros = u64;

pub(super) const MS: Micros = 1_000;
pub(super) const SECOND: Micros = 1_000 * MS;

/// Probabilities and numbers of faults, of one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    /// A connection breaks in the course of a try.
    pub(super) breaks: f64,
    /// The answer to a COMMIT that happened is lost.
    pub(super) swallowed: f64,
    /// The server refuses with one of the errors that pass.
    pub(super) errors: f64,
    /// A step takes seconds.
    pub(super) slow: f64,
    /// A COMMIT is answered with ROLLBACK: another backend's transaction had been aborted. The fence's
    /// setting is gone.
    pub(super) rolled_back: f64,
    pub(super) outages: usize,
    /// Changes of the table.
    pub(super) changes: usize,
    pub(super) crashes: usize,
    pub(super) take_overs: usize,
    /// Promotions of a standby that may be behind.
    pub(super) failovers: usize,
    /// Longest that a writer waits.
    pub(super) retry_policy: Micros,
}

impl Faults {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let mut rate = |most: f64| if rng.bool() { rng.f64() * most } else { 0.0 };
        Self {
            breaks: rate(0.3),
            swallowed: rate(0.4),
            errors: rate(0.3),
            slow: rate(0.2),
            rolled_back: rate(0.1),
            outages: rng.usize(0..3),
            crashes: rng.usize(0..4),
            take_overs: rng.usize(0..3),
            failovers: rng.usize(0..8).saturating_sub(6),
            retry_policy: [5 * SECOND, 60 * SECOND][rng.usize(0..2)],
            changes: rng.usize(0..6).saturating_sub(2),
        }
    }

    /// How long a step takes.
    pub(super) fn duration(&self, rng: &mut Rng) -> Micros {
        if rng.f64() < self.slow { rng.u64(SECOND..40 * SECOND) } else { rng.u64(MS / 5..20 * MS) }
    }
}
