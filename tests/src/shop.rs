//! A small shop, which the demo and the pictures are about: three workloads that take their configuration in
//! every way there is.

use crate::manifest::{config_map, secret};
use crate::{Source, Workload};
use serde_json::Value;

/// The namespace of it all.
pub const NAMESPACE: &str = "shop";

/// What the workloads are configured by.
pub fn sources() -> Vec<Value> {
    vec![
        config_map(
            "web-settings",
            &[("LOG_LEVEL", "info"), ("TIMEOUT", "5s"), ("COMMENT", "nobody reads me")],
        ),
        config_map("web-flags", &[("NEW_CART", "off"), ("DARK_MODE", "off")]),
        config_map("web-pages", &[("index.html", "<h1>Welcome</h1>")]),
        config_map("db-tuning", &[("my.cnf", "max_connections=100\n")]),
        secret("db-login", &[("user", "shop"), ("password", "long-and-hard-to-guess")]),
        payment_key(),
    ]
}

/// The Secret that the demo takes away and brings back.
pub fn payment_key() -> Value {
    secret("payment-key", &[("api-key", "sk-0123456789")])
}

/// The workloads.
pub fn workloads() -> Vec<Workload> {
    vec![
        Workload::deployment("web")
            .replicas(3)
            .env("LOG_LEVEL", Source::config_map("web-settings"), "LOG_LEVEL")
            .env("TIMEOUT", Source::config_map("web-settings"), "TIMEOUT")
            .env_from(Source::config_map("web-flags"))
            .directory("/srv/pages", Source::config_map("web-pages")),
        Workload::stateful_set("db")
            .replicas(2)
            .file("/etc/my.cnf", Source::config_map("db-tuning"), "my.cnf")
            .env_from(Source::secret("db-login")),
        Workload::deployment("payments").replicas(2).env("API_KEY", Source::secret("payment-key"), "api-key"),
    ]
}
