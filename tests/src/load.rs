//! Pods that are made all the while, as deployments and jobs of others make them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::namespace::Namespace;
use crate::webhook::RECORD;

/// Makes pods, dry, so that each passes admission and nothing is left of it, until it is stopped.
pub struct Load {
    shared: Arc<Shared>,
    makers: Vec<JoinHandle<Result<()>>>,
}

struct Shared {
    stop: AtomicBool,
    made: AtomicUsize,
    unrecorded: AtomicUsize,
}

impl Load {
    /// So many at once, each of which uses the ConfigMap `settings` and the Secret `login`.
    pub async fn start(ns: &Namespace<'_>, at_once: usize) -> Result<Self> {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            made: AtomicUsize::new(0),
            unrecorded: AtomicUsize::new(0),
        });
        let client = ns.client();
        let one = |_| tokio::spawn(make(client.clone(), ns.name().to_owned(), shared.clone()));
        Ok(Self { makers: (0..at_once).map(one).collect(), shared: shared.clone() })
    }

    /// How many have been made so far.
    pub fn made(&self) -> usize {
        self.shared.made.load(Ordering::Relaxed)
    }

    /// How many of them have no record.
    pub fn unrecorded(&self) -> usize {
        self.shared.unrecorded.load(Ordering::Relaxed)
    }

    /// Ends it; fails unless every pod was made.
    pub async fn end(self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for made in try_join_all(self.makers).await? {
            made?;
        }
        Ok(())
    }

    /// Ends it; fails unless every pod was made, and with a record.
    pub async fn stop(self) -> Result<usize> {
        let shared = self.shared.clone();
        self.end().await?;
        let (made, unrecorded) =
            (shared.made.load(Ordering::Relaxed), shared.unrecorded.load(Ordering::Relaxed));
        ensure!(unrecorded == 0, "{unrecorded} of {made} pods have no record");
        Ok(made)
    }
}

async fn make(client: Client, namespace: String, shared: Arc<Shared>) -> Result<()> {
    let pods = Api::<Pod>::namespaced(client, &namespace);
    let pod = pod("load-")?;
    let dry_run = PostParams { dry_run: true, field_manager: None };
    while !shared.stop.load(Ordering::Relaxed) {
        let made = pods.create(&dry_run, &pod).await?;
        shared.made.fetch_add(1, Ordering::Relaxed);
        if !made.annotations().contains_key(RECORD) {
            shared.unrecorded.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// A pod that uses the ConfigMap `settings` and the Secret `login`, whether they exist or not.
pub fn pod(generate_name: &str) -> Result<Pod> {
    Ok(serde_json::from_value(json!({
        "metadata": {"generateName": generate_name},
        "spec": {"containers": [{
            "name": "app",
            "image": "none",
            "envFrom": [
                {"configMapRef": {"name": "settings", "optional": true}},
                {"secretRef": {"name": "login", "optional": true}},
            ],
        }]},
    }))?)
}
