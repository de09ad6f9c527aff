//! The pure heart of kubectl-reload: what configuration a pod uses ([`reference`]), what its
//! content comes to ([`digest`]), what was written down about it ([`record`]), and whether the pod
//! still runs on it ([`verdict`]).
//!
//! Nothing here does I/O, is async or reads a clock.

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
