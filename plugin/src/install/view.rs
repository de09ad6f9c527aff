//! What is asked before anything is written, and what is said in the end.

use super::VERSION;
use crate::installation::NAME;
use crate::installation::found::Found;

/// How a run speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) namespace: &'a str,
}

impl View<'_> {
    /// What is asked, given what is there; `older` is whether a newer version is.
    pub(super) fn question(self, found: &Found, older: bool) -> String {
        let namespace = self.namespace;
        match found.version() {
            Some(version) if older => format!(
                "Version {version} is installed in namespace {namespace}. Put the OLDER version {VERSION} in its place?"
            ),
            Some(version) if version != VERSION => {
                format!("Upgrade from version {version} to {VERSION} in namespace {namespace}?")
            }
            Some(_) => format!("Change the installation in namespace {namespace}?"),
            None => format!("Install version {VERSION} in namespace {namespace}?"),
        }
    }

    /// That all is done; `proven` is the namespace in which a pod was tried.
    pub(super) fn summary(self, unchanged: bool, proven: Option<&str>) -> String {
        let namespace = self.namespace;
        let what = match unchanged {
            true => format!("Nothing to change: version {VERSION} is installed in namespace {namespace}"),
            false => format!("Version {VERSION} is installed in namespace {namespace}"),
        };
        match proven {
            Some(tried) => {
                format!("{what}, and records pods: one tried in namespace {tried} came back with a record.")
            }
            None => format!("{what}; it was not waited for. To see how it is: {}", self.doctor()),
        }
    }

    /// That the webhook does not become ready; `registered` is whether one was before.
    pub(super) fn not_ready(self, error: &anyhow::Error, registered: bool) -> String {
        let rest = match registered {
            true => "The registration is as it was, and pods from before go on with the rights that they had",
            false => "It is not registered, so that no pod is sent to it",
        };
        format!("the webhook is not ready: {error}. {rest}; what was written stays. {}", self.remedy())
    }

    pub(super) fn not_recording(self, error: &anyhow::Error) -> String {
        format!("that pods are recorded is not proven: {error}. Nothing was taken back. {}", self.remedy())
    }

    fn remedy(self) -> String {
        format!(
            "To see what is wrong: {}; once that is mended, run the same command again to go on",
            self.doctor()
        )
    }

    fn doctor(self) -> String {
        match self.namespace {
            NAME => "kubectl reload doctor".to_owned(),
            namespace => format!("kubectl reload doctor --install-namespace {namespace}"),
        }
    }
}

#[cfg(test)]
mod tests;
