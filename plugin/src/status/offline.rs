//! The status of what files hold: no cluster is asked.

use std::sync::Arc;

use reload_core::verdict::{Certainty, Reason, Verdict};

use super::output::Output;
use super::{Outcome, StatusArgs, shown};
use crate::color::Paint;
use crate::connection::ConnectionArgs;
use crate::findings::find_held;
use crate::report::WorkloadReport;
use crate::scope::Target;
use crate::snapshot::Snapshot;

/// The answer, and what it comes to.
pub(super) async fn look(
    args: &StatusArgs,
    targets: &[Target],
    connection: &ConnectionArgs,
    paint: Paint,
) -> anyhow::Result<(String, Outcome)> {
    let snapshot = Arc::new(Snapshot::read(&args.filename)?);
    // A kubeconfig has no say in what files are about.
    let namespace = connection.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    let selector = args.scope.selector();
    let found = find_held(&snapshot, namespace, selector, targets, &args.judgement).await?;
    let untimed = found.reports.iter().filter(|report| is_untimed(report)).count();
    let (mut text, outcome) = shown(args, found, namespace, snapshot.taken_at(), paint)?;
    if untimed > 0 && snapshot.lacks_managed_fields() {
        let advice = "the files do not tell when sources were written: \
                      write them with kubectl get --show-managed-fields";
        match args.output {
            Output::Table | Output::Wide if untimed == 1 => text += &format!("Of 1 of them, {advice}.\n"),
            Output::Table | Output::Wide => text += &format!("Of {untimed} of them, {advice}.\n"),
            Output::Json | Output::Yaml | Output::Name | Output::OpenMetrics => {
                tracing::warn!("{advice}");
            }
        }
    }
    Ok((text, outcome))
}

/// Whether times of writing would tell more of it.
fn is_untimed(report: &WorkloadReport) -> bool {
    let no_time = Reason::NoWriteTime.to_string();
    let unclear =
        report.verdict == Verdict::Unknown && report.causes.iter().any(|cause| cause.reason == no_time);
    let possible = (report.verdict, report.certainty) == (Verdict::Drifted, Certainty::Inferred);
    unclear || (possible && report.causes.iter().any(|cause| cause.since.is_none()))
}
