//! What the suites and the demo stand on: a real Kubernetes control plane with fake nodes or a
//! real one, the webhook as a local process that its API server calls, and kubectl with the plugin on its PATH.
//!
//! - [`Cluster`]: a control plane of its own name, ports and folder.
//! - [`Node`]: the same with a real node instead of fake ones, as root on Linux.
//! - [`Namespace`]: a place for one test, which shows its state when the test fails.
//! - [`Webhook`]: the admission server, registered for the namespaces of one test.
//! - [`Kubectl`]: kubectl as a user runs it.
//! - [`Helm`]: the chart, linted, rendered, installed.
//! - [`Workload`], [`Source`]: manifests.
//! - [`eventually`]: the only way to wait.
//!
//! Nothing that is started here outlives the process that started it, not even when that is
//! killed: see [`guard`].

pub mod binaries;
pub mod cluster;
pub mod guard;
pub mod helm;
pub mod kubectl;
pub mod manifest;
pub mod namespace;
pub mod node;
pub mod port;
pub mod process;
pub mod rollout;
pub mod status;
pub mod wait;
pub mod webhook;

pub use cluster::{Cluster, ClusterOptions};
pub use helm::Helm;
pub use kubectl::{Kubectl, Output};
pub use manifest::{Source, Workload};
pub use namespace::{Namespace, with_namespace};
pub use node::{Node, NodeOptions};
pub use status::Status;
pub use wait::eventually;
pub use webhook::{Webhook, WebhookOptions};
