//! How much is done at once: reviews under way, and bytes of their bodies.

use std::sync::Arc;

use axum::body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// The largest review that is read, in bytes: the API server sends objects of up to 3 MiB.
pub(crate) const MAX_REVIEW: usize = 4 * 1024 * 1024;

/// What larger bodies, and then what is made of the pods in them, may take, in bytes.
const MAX_BODIES: usize = 24 * 1024 * 1024;

/// What each body may have beside, in bytes; a review of a common pod has 5 to 20 KiB. So nobody who
/// sends large ones keeps those out. The number of connections bounds it.
pub(crate) const OF_EACH: usize = 32 * 1024;

/// So many reviews of large pods may wait for their turn: one after the other, more than these would
/// hardly have it in time.
const WAITING: usize = 8;

/// How much is done at once.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Reviews under way at once; beyond, pods are admitted at once and unrecorded. The API server opens
    /// a connection for each: keep it well below --max-connections.
    #[arg(long, env = "KUBECTL_RELOAD_MAX_REVIEWS", default_value = "512", value_parser = at_least_one)]
    pub(crate) max_reviews: usize,

    /// GETs of sources under way at once; further ones wait, within the deadline.
    #[arg(long, env = "KUBECTL_RELOAD_MAX_READS", default_value = "32", value_parser = at_least_one)]
    pub(crate) max_reads: usize,

    /// Connections at once. 64 further ones may each send one request within half a second more than
    /// --deadline; beyond, they are closed.
    #[arg(long, env = "KUBECTL_RELOAD_MAX_CONNECTIONS", default_value = "1024", value_parser = at_least_one)]
    pub(crate) max_connections: usize,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=100_000) => Ok(number),
        _ => Err("write a whole number from 1 to 100000".to_owned()),
    }
}

/// What reviews may take.
pub(crate) struct Room {
    reviews: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    turn: Semaphore,
    waiting: Semaphore,
}

/// A body, and the room that it takes. The room is held on to for what is made of it.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: Taken,
}

/// Room that is free again when this is dropped.
pub(crate) struct Taken(OwnedSemaphorePermit);

impl Taken {
    /// What the room is for has so many bytes from now on.
    ///
    /// # Errors
    /// [`NoBody::NoRoom`], where it has more than there is room for.
    pub(crate) fn becomes(&mut self, bytes: usize) -> Result<(), NoBody> {
        let wanted = bytes.saturating_sub(OF_EACH);
        let held = self.0.num_permits();
        if held >= wanted {
            drop(self.0.split(held - wanted));
            return Ok(());
        }
        let more = take(self.0.semaphore(), wanted - held)?;
        self.0.merge(more);
        Ok(())
    }
}

/// A body that was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoBody {
    #[error("the body is longer than {MAX_REVIEW} bytes")]
    TooLong,
    #[error("the bodies of other reviews take all the room")]
    NoRoom,
    #[error("the body ended early")]
    Broken,
}

impl Room {
    pub(crate) fn new(max_reviews: usize) -> Self {
        Self {
            reviews: Arc::new(Semaphore::new(max_reviews)),
            bytes: Arc::new(Semaphore::new(MAX_BODIES)),
            turn: Semaphore::new(1),
            waiting: Semaphore::new(WAITING),
        }
    }

    /// A place for a review; none where as many as may be are under way.
    pub(crate) fn review(&self) -> Option<OwnedSemaphorePermit> {
        self.reviews.clone().try_acquire_owned().ok()
    }

    /// Reads a body. It takes room as it comes, so that one who announces much and sends nothing
    /// keeps nobody out.
    pub(crate) async fn read(&self, mut body: Body) -> Result<Held, NoBody> {
        let mut bytes = Vec::new();
        let mut room = Taken(take(&self.bytes, 0)?);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| NoBody::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > MAX_REVIEW {
                return Err(NoBody::TooLong);
            }
            room.becomes(bytes.len() + data.len())?;
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes, room })
    }

    /// The turn of one of those that are had one after the other, until then; none where others wait
    /// for it already, or it does not come.
    pub(crate) async fn turn(&self, until: Instant) -> Option<SemaphorePermit<'_>> {
        let _waiting = self.waiting.try_acquire().ok()?;
        timeout_at(until, self.turn.acquire()).await.ok()?.ok()
    }
}

fn take(room: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, NoBody> {
    let bytes = u32::try_from(bytes).map_err(|_| NoBody::TooLong)?;
    room.clone().try_acquire_many_owned(bytes).map_err(|_| NoBody::NoRoom)
}
