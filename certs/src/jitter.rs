//! The share of chance that keeps replicas from acting in the same instant.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// A fraction from 0 up to, not including, 1. Not for secrets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// No jitter at all.
    pub const NONE: Self = Self(0.0);

    /// A fraction at random.
    pub fn random() -> Self {
        // The standard library seeds each state anew from the system's randomness.
        let bits = RandomState::new().hash_one(0_u8) >> 11;
        Self(bits as f64 / (1_u64 << 53) as f64)
    }

    /// A given fraction, brought into its range.
    pub fn fixed(fraction: f64) -> Self {
        if fraction.is_nan() {
            return Self::NONE;
        }
        Self(fraction.clamp(0.0, 1.0 - f64::EPSILON))
    }

    /// That fraction of a length of time.
    pub fn of(self, whole: Duration) -> Duration {
        whole.mul_f64(self.0)
    }
}
