//! The pure heart of kubectl-reload: what configuration a pod uses ([`mod@reference`]), what its
//! content comes to ([`digest`]), what was written down about it ([`record`]), and whether the pod
//! still runs on it ([`verdict`]).
//!
//! Nothing here does I/O, is async or reads a clock.
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use k8s_openapi::api::core::v1::PodSpec;
//! use reload_core::content::Content;
//! use reload_core::digest::Hasher;
//! use reload_core::record::UseRecord;
//! use reload_core::reference::{references, selection};
//! use reload_core::source::SourceId;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec: PodSpec = serde_json::from_value(serde_json::json!({
//!     "containers": [{"name": "web", "envFrom": [{"configMapRef": {"name": "settings"}}]}],
//! }))?;
//! let settings = SourceId::config_map("settings");
//! let content = |level: &str| Content::config_map([("LOG_LEVEL".to_owned(), level.to_owned())], []);
//!
//! // What the pod uses, and what it comes to when the pod is created.
//! let uses = &selection(&references(&spec, &BTreeSet::new()))[&settings];
//! let (mode, keys) = uses.first_key_value().ok_or("it uses nothing")?;
//! let hasher = Hasher::new(&settings, "shop", None).ok_or("a Secret needs a hash key")?;
//! let recorded = UseRecord::of(&content("info"), &hasher, *mode, keys);
//!
//! // Later: the same, and something else.
//! assert_eq!(recorded.changes(&content("info"), &hasher, *mode), None);
//! let changes = recorded.changes(&content("debug"), &hasher, *mode).ok_or("nothing changed")?;
//! assert!(changes.changed.contains("LOG_LEVEL"));
//! # Ok(())
//! # }
//! ```

pub mod annotation;
pub mod content;
pub mod digest;
pub mod hash_key;
pub mod last_write;
pub mod options;
pub mod record;
pub mod reference;
pub mod source;
pub mod verdict;
