//! How long certificates live and how they overlap.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Lives and overlap of the webhook's own certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    ca_life: Duration,
    leaf_life: Duration,
    overlap: Duration,
}

/// Lengths of time that do not go together.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A leaf that outlives its CA, or lives for less than seconds.
    #[error(
        "a certificate's life of {leaf:?} does not fit into the CA's of {ca:?}: it must be at \
         least 3 s and at most the CA's"
    )]
    Leaf {
        /// The leaf's life.
        leaf: Duration,
        /// The CA's.
        ca: Duration,
    },
    /// A CA that expires before its successor may sign.
    #[error(
        "an overlap of {overlap:?} does not fit into a CA's life of {ca:?}: it must be at least \
         1 s and at most a sixth of the CA's life"
    )]
    Overlap {
        /// The overlap.
        overlap: Duration,
        /// The CA's life.
        ca: Duration,
    },
}

impl Settings {
    /// Checks that the three go together.
    ///
    /// `overlap` is how long both CAs are trusted before the new one signs, and again before the
    /// old one is dropped: time for the API servers to take up the bundle, and for every replica
    /// to take up the new certificate.
    ///
    /// # Errors
    /// [`SettingsError`] where a rotation would not come to its end in time.
    pub fn new(ca_life: Duration, leaf_life: Duration, overlap: Duration) -> Result<Self, SettingsError> {
        if leaf_life < Duration::from_secs(3) || leaf_life > ca_life {
            return Err(SettingsError::Leaf { leaf: leaf_life, ca: ca_life });
        }
        if overlap < Duration::from_secs(1) || overlap > ca_life / 6 {
            return Err(SettingsError::Overlap { overlap, ca: ca_life });
        }
        Ok(Self { ca_life, leaf_life, overlap })
    }

    /// The life of a CA: ten years unless set.
    pub fn ca_life(&self) -> Duration {
        self.ca_life
    }

    /// The life of a serving certificate: one year unless set.
    pub fn leaf_life(&self) -> Duration {
        self.leaf_life
    }

    /// The overlap of two CAs: one hour unless set.
    pub fn overlap(&self) -> Duration {
        self.overlap
    }

    /// How often a replica looks: each minute, or four times in a shorter overlap, since a
    /// replica must have taken up the new certificate before the old CA is dropped.
    pub fn check_interval(&self) -> Duration {
        (self.overlap / 4).min(Duration::from_secs(60))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { ca_life: 3650 * DAY, leaf_life: 365 * DAY, overlap: Duration::from_secs(3600) }
    }
}
