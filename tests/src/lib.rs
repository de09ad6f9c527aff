//! What the suites and the demo stand on: a real Kubernetes control plane with fake nodes or a
//! real one, the webhook as a local process that its API server calls, and kubectl with the plugin on its PATH.
//!
//! - [`Cluster`]: a control plane of its own name, ports and folder.
//! - [`Node`]: the same with a real node instead of fake ones, as root on Linux.
//! - [`Namespace`]: a place for one test, which shows its state when the test fails.
//! - [`Webhook`]: the admission server, registered for the namespaces of one test.
//! - [`FaultProxy`], [`Balancer`], [`Injector`]: an API server that fails on demand, a Service before
//!   replicas of the webhook, another webhook beside it.
//! - [`Load`], [`Metrics`]: pods made all the while, and what servers count meanwhile.
//! - [`Kubectl`]: kubectl as a user runs it.
//! - [`Helm`]: the chart, linted, rendered, installed.
//! - [`Terminal`]: the plugin as a person sees it.
//! - [`listing`]: all objects of a cluster, to compare before and after.
//! - [`Authority`]: certificates of others, in a folder as the kubelet mounts it.
//! - [`Workload`], [`Source`]: manifests; [`shop`]: those of the demo and the pictures.
//! - [`eventually`]: the only way to wait.
//!
//! Nothing that is started here outlives the process that started it, not even when that is
//! killed: see [`guard`].

pub mod authority;
pub mod balancer;
pub mod binaries;
pub mod cluster;
pub mod fault_proxy;
pub mod guard;
pub mod helm;
pub mod injector;
pub mod kubectl;
pub mod listing;
pub mod load;
pub mod manifest;
pub mod metrics;
pub mod namespace;
pub mod node;
pub mod port;
pub mod process;
pub mod rollout;
pub mod shop;
pub mod status;
pub mod terminal;
pub mod wait;
pub mod webhook;

pub use authority::{Authority, MountedPair};
pub use balancer::Balancer;
pub use cluster::{Cluster, ClusterOptions};
pub use fault_proxy::{Fault, FaultProxy};
pub use helm::Helm;
pub use injector::Injector;
pub use kubectl::{Kubectl, Output};
pub use load::Load;
pub use manifest::{Source, Workload};
pub use metrics::Metrics;
pub use namespace::{Namespace, with_namespace};
pub use node::{Node, NodeOptions};
pub use status::Status;
pub use terminal::Terminal;
pub use wait::eventually;
pub use webhook::{Webhook, WebhookOptions};
