//! The command line. Each part owns its own flags.

use std::time::Duration;

use clap::Parser;

use crate::admission::RecordArgs;
use crate::api::ClusterArgs;
use crate::certificates::CertificateArgs;
use crate::limits::LimitArgs;
use crate::log::LogArgs;
use crate::server::ServingArgs;

/// Records on every new pod content hashes of the ConfigMaps and Secrets that it uses, so that
/// `kubectl reload` can tell at any later time whether it still runs on them.
///
/// It never refuses a pod and never waits longer than its deadline.
#[derive(Debug, Clone, Parser)]
#[command(name = "kubectl-reload-webhook", version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub(crate) serving: ServingArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) records: RecordArgs,
    #[command(flatten)]
    pub(crate) certificates: CertificateArgs,
    /// What is logged and how.
    #[command(flatten)]
    pub log: LogArgs,
}

/// A number with its unit, more than none: `1500ms`, `10s`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    parse_delay(text).and_then(|duration| match duration.is_zero() {
        true => Err("must be more than 0".to_owned()),
        false => Ok(duration),
    })
}

/// The same, or none.
pub(crate) fn parse_delay(text: &str) -> Result<Duration, String> {
    match parse_long(text)? {
        duration if duration <= Duration::from_secs(30) => Ok(duration),
        _ => Err("must be at most 30s, the longest that the API server waits".to_owned()),
    }
}

/// The same, of any length.
pub(crate) fn parse_long(text: &str) -> Result<Duration, String> {
    let duration: Option<jiff::SignedDuration> = text.parse().ok();
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration.ok_or_else(|| "write a number and a unit, as 1500ms, 10s or 24h".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use reload_core::source::SourceId;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Args, String> {
        let all = ["kubectl-reload-webhook"].iter().chain(arguments);
        Args::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
        let args = parse(&[]).unwrap();
        assert_eq!(args.serving.deadline, Duration::from_millis(1500));
        assert!(args.records.ignore.contains(&SourceId::config_map("kube-root-ca.crt")));
        assert!(args.records.secrets && args.records.secret_key_names);
    }

    #[test]
    fn every_flag_has_an_environment_variable_a_group_and_a_text() {
        let command = Args::command();
        let flags =
            command.get_arguments().filter(|flag| !["help", "version"].contains(&flag.get_id().as_str()));
        for flag in flags {
            let long = flag.get_long().unwrap();
            let variable = format!("KUBECTL_RELOAD_{}", long.to_uppercase().replace('-', "_"));
            assert_eq!(flag.get_env().unwrap().to_str(), Some(variable.as_str()));
            assert!(flag.get_help_heading().is_some(), "--{long} is in no group");
            assert!(flag.get_help().is_some(), "--{long} has no text");
        }
    }

    #[test]
    fn a_bad_value_is_refused_with_what_to_write() {
        let cases: [(&[&str], &str); 13] = [
            (&["--deadline", "soon"], "1500ms, 10s"),
            (&["--deadline", "0s"], "more than 0"),
            (&["--drain", "5h"], "at most 30s"),
            (&["--ignore", "pod/x"], "configmap/NAME"),
            (&["--log-level", "loud"], "possible values"),
            (&["--max-reviews", "0"], "from 1 to 100000"),
            (&["--max-reads", "many"], "from 1 to 100000"),
            (&["--namespace", "../x"], "lower-case letters"),
            (&["--certificates", "Foo_Bar"], "an object's name"),
            (&["--registration", ""], "an object's name"),
            (&["--listen", "8443"], "socket address"),
            (&["--tls-cert-file", "a"], "--tls-private-key-file"),
            (
                &["--tls-cert-file", "a", "--tls-private-key-file", "b", "--registration", "c"],
                "cannot be used with",
            ),
        ];
        for (arguments, expected) in cases {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
        assert!(parse(&["--tls-cert-file", "a", "--tls-private-key-file", "b"]).is_ok());
    }
}
