//! Judgement: what verdicts rest on besides the cluster, by flags.

use clap::Args;
use reload_core::source::{IGNORED, SourceId};
use reload_core::verdict::Lag;

use crate::installation::InstallationArgs;

/// What verdicts rest on besides the cluster.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Judgement")]
pub(crate) struct JudgementArgs {
    #[command(flatten)]
    installation: InstallationArgs,

    /// Sources that are not looked at, as configmap/NAME or secret/NAME, in place of the default ones: name
    /// those as well, since records do not tell of them.
    #[arg(long, value_delimiter = ',', default_values = IGNORED, value_name = "SOURCE")]
    ignore: Vec<SourceId>,

    /// How long after a change a container may still start with the old files, in seconds: the
    /// kubelet's sync period and its jitter.
    #[arg(long, default_value_t = 150, value_name = "SECONDS")]
    kubelet_lag: u32,
}

impl JudgementArgs {
    /// Whether a source is left out by `--ignore`.
    pub(crate) fn ignores(&self, id: &SourceId) -> bool {
        self.ignore.contains(id)
    }

    /// Whether something is to be looked at that records leave out: that one fits what is there now does not
    /// settle a pod's verdict then.
    pub(crate) fn looks_beyond_records(&self) -> bool {
        let left_out = IGNORED.iter().filter_map(|source| source.parse::<SourceId>().ok());
        left_out.into_iter().any(|id| !self.ignores(&id))
    }

    /// Where the hash keys are.
    pub(crate) fn install_namespace(&self) -> &str {
        &self.installation.install_namespace
    }

    /// How long the kubelet may be behind.
    pub(crate) fn lag(&self) -> Lag {
        Lag { files: jiff::SignedDuration::from_secs(self.kubelet_lag.into()), ..Lag::default() }
    }
}
