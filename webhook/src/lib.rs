//! The admission webhook: on every new pod it records the configuration that the pod is about to
//! start with.
//!
//! A review comes in by the [`mod@router`]. What it comes to ([`outcome`]) is found by reading it
//! ([`review`]), taking of the pod what matters ([`subject`]), having its sources read and writing the
//! record ([`admission`]). Reads are live
//! ([`api`]), shared ([`coalesce`]) and refused while none are answered ([`breaker`]); [`sources`]
//! puts the three together. The rest keeps it all running: [`mod@server`], [`certificates`],
//! [`hash_key`], [`health`], [`metrics`], [`limits`].

mod admission;
mod api;
mod args;
mod breaker;
mod certificates;
mod coalesce;
mod hash_key;
mod health;
mod limits;
pub mod log;
mod metrics;
mod outcome;
mod panic;
mod review;
mod router;
mod server;
mod server_clock;
mod sources;
mod subject;

pub use args::Args;
pub use server::{router_over, run};
