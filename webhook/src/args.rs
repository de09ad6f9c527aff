//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use reload_certs::Name;
use reload_core::source::{IGNORED, SourceId};

use crate::log::{Format, Level};

/// Records on every new pod content hashes of the ConfigMaps and Secrets that it uses, so that
/// `kubectl reload` can tell at any later time whether it still runs on them.
///
/// It never refuses a pod and never waits longer than its deadline.
#[derive(Debug, Clone, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Args {
    /// Address and port to serve on.
    #[arg(long, env = "KUBECTL_RELOAD_LISTEN", default_value = "0.0.0.0:8443", help_heading = "Serving")]
    pub(crate) listen: SocketAddr,

    /// How long one review may take; keep it under the registration's timeoutSeconds.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_DEADLINE",
        default_value = "1500ms",
        value_parser = parse_duration,
        help_heading = "Serving"
    )]
    pub(crate) deadline: Duration,

    /// How long to go on serving after SIGTERM, not ready any more, until nobody sends requests here.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_SHUTDOWN_DELAY",
        default_value = "3s",
        value_parser = parse_delay,
        help_heading = "Serving"
    )]
    pub(crate) shutdown_delay: Duration,

    /// How long open requests may then take to end.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_DRAIN",
        default_value = "10s",
        value_parser = parse_duration,
        help_heading = "Serving"
    )]
    pub(crate) drain: Duration,

    /// Namespace of the installation: it holds the hash key and the certificates.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_NAMESPACE",
        default_value = "kubectl-reload",
        help_heading = "Cluster"
    )]
    pub(crate) namespace: String,

    /// Kubeconfig file; without it KUBECONFIG, ~/.kube/config or the pod's service account.
    #[arg(long, help_heading = "Cluster")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Sources that are never recorded, as configmap/NAME or secret/NAME.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_IGNORE",
        value_delimiter = ',',
        default_values = IGNORED,
        help_heading = "Records"
    )]
    pub(crate) ignore: Vec<SourceId>,

    /// Whether Secrets are read; without the right to, say no, and records say that they are unread.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_SECRETS",
        default_value_t = true,
        action = clap::ArgAction::Set,
        help_heading = "Records"
    )]
    pub(crate) secrets: bool,

    /// Whether records show the names of a Secret's keys; without them a drift names no key.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_SECRET_KEY_NAMES",
        default_value_t = true,
        action = clap::ArgAction::Set,
        help_heading = "Records"
    )]
    pub(crate) secret_key_names: bool,

    /// Names and addresses on the serving certificate [default: the Service of the installation].
    #[arg(
        long = "hostname",
        env = "KUBECTL_RELOAD_HOSTNAME",
        value_delimiter = ',',
        help_heading = "Certificates"
    )]
    pub(crate) hostnames: Vec<Name>,

    /// Secret of the installation's namespace that keeps the CA and the serving certificate.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_CERTIFICATES",
        default_value = "kubectl-reload-certificates",
        help_heading = "Certificates"
    )]
    pub(crate) certificates: String,

    /// MutatingWebhookConfiguration that is given the CA bundle.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_REGISTRATION",
        default_value = "zz-kubectl-reload",
        help_heading = "Certificates"
    )]
    pub(crate) registration: String,

    /// Form of the log on standard error.
    #[arg(
        long,
        env = "KUBECTL_RELOAD_LOG_FORMAT",
        default_value = "plain",
        value_enum,
        help_heading = "Log"
    )]
    pub(crate) log_format: Format,

    /// Least severe level that is logged.
    #[arg(long, env = "KUBECTL_RELOAD_LOG_LEVEL", default_value = "info", value_enum, help_heading = "Log")]
    pub(crate) log_level: Level,
}

/// A whole number with its unit: `1500ms`, `10s`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    parse_delay(text).and_then(|duration| match duration.is_zero() {
        true => Err("must be more than 0".to_owned()),
        false => Ok(duration),
    })
}

/// The same, or none.
fn parse_delay(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "write a number and a unit, as 1500ms or 10s".to_owned())?;
    match Duration::try_from(duration) {
        Ok(duration) if duration <= Duration::from_secs(30) => Ok(duration),
        _ => Err("must be at most 30s, the longest that the API server waits".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
        let args = Args::parse_from(["kubectl-reload-webhook"]);
        assert_eq!(args.deadline, Duration::from_millis(1500));
        assert!(args.ignore.contains(&SourceId::config_map("kube-root-ca.crt")));
        assert!(args.secrets && args.secret_key_names);
    }

    #[test]
    fn a_bad_value_is_refused_with_what_to_write() {
        for (arguments, expected) in [
            (["--deadline", "soon"], "1500ms or 10s"),
            (["--deadline", "0s"], "more than 0"),
            (["--drain", "5h"], "at most 30s"),
            (["--ignore", "pod/x"], "configmap/NAME"),
            (["--log-level", "loud"], "possible values"),
        ] {
            let all = ["kubectl-reload-webhook"].into_iter().chain(arguments);
            let error = Args::try_parse_from(all).unwrap_err().to_string();
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
    }
}
