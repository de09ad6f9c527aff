//! The serving certificates of the kubectl-reload webhook.
//!
//! Two sources are on offer: [`OwnCertificates`] runs a small CA of its own, kept in one Secret
//! that any number of replicas share, and [`FileCertificates`] reads PEM files that something
//! else renews (cert-manager, a mounted Secret). Both hand out a [`Serving`]: a ready rustls
//! configuration and its dates.
//!
//! The parts, from pure to not: [`issue`] makes certificates, [`plan`] decides what is due,
//! [`state`] is what exists and how a decision changes it, [`store`] keeps it in the Secret,
//! [`inject`] writes the CA bundle to the webhook's registration, [`tls`] makes the server's
//! configuration, [`own`] and [`files`] put them together; [`owner`] says who owns what they make. Clock, client and randomness are
//! passed in; no process-wide crypto provider is used or installed.

pub mod certificate;
pub mod event;
pub mod files;
pub mod inject;
pub mod issue;
pub mod jitter;
pub mod key;
pub mod names;
pub mod own;
pub mod owner;
mod pem;
pub mod plan;
pub mod settings;
pub mod state;
pub mod store;
pub mod tls;
#[cfg(test)]
mod verify;

pub use event::Event;
pub use files::FileCertificates;
pub use inject::Injection;
pub use jitter::Jitter;
pub use names::{Name, Names};
pub use own::OwnCertificates;
pub use owner::Account;
pub use settings::Settings;
pub use tls::Serving;
