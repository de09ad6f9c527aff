//! PEM files that something else renews: cert-manager, a mounted Secret, an administrator.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::event::Event;
use crate::tls::{Serving, TlsError};

/// How often the files are read, unless set.
const INTERVAL: Duration = Duration::from_secs(10);

/// How often a read begins anew because the files were exchanged in the middle of it.
const MOST_TRIES: usize = 3;

/// A chain and its key in two PEM files. Their contents are read again and again: a mounted
/// Secret changes by an exchange of symbolic links, which a watch on the file does not see.
#[derive(Clone, Debug)]
pub struct FileCertificates {
    chain: PathBuf,
    key: PathBuf,
    interval: Duration,
}

/// Files that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error(
        "could not read {}: check the path, that the Secret is mounted there, and that the \
         process's user may read it", path.display()
    )]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Their contents cannot be served.
    #[error("{} and {} cannot be served", chain.display(), key.display())]
    Pair {
        /// The certificates' file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why, and the remedy.
        source: TlsError,
    },
}

impl FileCertificates {
    /// The file of the chain (serving certificate first) and that of its key; nothing is read
    /// yet.
    pub fn new(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { chain: chain.into(), key: key.into(), interval: INTERVAL }
    }

    /// With another interval than ten seconds.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Reads the pair and checks that it can be served at `now`. Blocks for as long as the files
    /// take to read.
    ///
    /// # Errors
    /// [`FilesError`] with the remedy.
    pub fn load(&self, now: Timestamp) -> Result<Serving, FilesError> {
        let (chain, key) = self.read()?;
        Serving::from_pem(&chain, &key, now).map_err(|source| FilesError::Pair {
            chain: self.chain.clone(),
            key: self.key.clone(),
            source,
        })
    }

    /// Goes on from `serving`, which [`Self::load`] returned, and tells `on_event` the outcome of
    /// each look. A pair that cannot be served is a failure, after which the last good one goes
    /// on being served. Never returns; dropping the future ends it.
    pub async fn run(
        &self,
        serving: Serving,
        clock: impl Fn() -> Timestamp,
        mut on_event: impl FnMut(Event<FilesError>),
    ) -> Infallible {
        let mut current = serving;
        loop {
            tokio::time::sleep(self.interval).await;
            match self.load_apart(clock()).await {
                Ok(serving) if serving.is_same_pair(&current) => {
                    on_event(Event::Unchanged(serving));
                }
                Ok(serving) => {
                    on_event(Event::Changed(serving.clone()));
                    current = serving;
                }
                Err(error) => on_event(Event::Failed { error, retry_in: self.interval }),
            }
        }
    }

    /// Off the event loop: a volume that hangs must not stop the server.
    async fn load_apart(&self, now: Timestamp) -> Result<Serving, FilesError> {
        let files = self.clone();
        let loaded = tokio::task::spawn_blocking(move || files.load(now)).await;
        loaded.unwrap_or_else(|error| {
            Err(FilesError::Read { path: self.chain.clone(), source: std::io::Error::other(error) })
        })
    }

    /// Both files as of one moment: where the chain is another one after the key was read, they
    /// were exchanged in between.
    fn read(&self) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), FilesError> {
        let mut chain = read(&self.chain)?;
        let mut tries = 1;
        loop {
            let key = Zeroizing::new(read(&self.key)?);
            let again = read(&self.chain)?;
            if chain == again || tries == MOST_TRIES {
                return Ok((again, key));
            }
            chain = again;
            tries += 1;
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FilesError> {
    std::fs::read(path).map_err(|source| FilesError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
