//! The answer as metrics, in the OpenMetrics text form: how much has drifted where.
//!
//! Only gauges, without timestamps and exemplars, so that what reads the older text form of Prometheus
//! (node exporter's textfile collector, the Pushgateway) takes it as well.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use reload_core::verdict::{Certainty, Verdict};

use super::pod::PodReport;
use crate::report::WorkloadReport;
use crate::table::printable;

/// What each namespace counts, as 0 where it has none: a series that comes and goes is hard to alert on.
const STATES: [(Verdict, Certainty); 9] = [
    (Verdict::Ignored, Certainty::Recorded),
    (Verdict::Current, Certainty::Inferred),
    (Verdict::Current, Certainty::Recorded),
    (Verdict::Unknown, Certainty::Inferred),
    (Verdict::Unknown, Certainty::Recorded),
    (Verdict::Rolling, Certainty::Inferred),
    (Verdict::Rolling, Certainty::Recorded),
    (Verdict::Drifted, Certainty::Inferred),
    (Verdict::Drifted, Certainty::Recorded),
];

/// All workloads, and all pods where they are given, by namespace, verdict and certainty; and when the
/// cluster was looked at.
///
/// # Errors
/// When memory is short.
pub(super) fn text(
    reports: &[WorkloadReport],
    pods: Option<&[PodReport]>,
    looked_at: Timestamp,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("kubectl_reload");
    let workloads =
        reports.iter().map(|report| (&report.workload.namespace, report.verdict, report.certainty));
    registry.register_collector(Box::new(Counts::of(
        "workloads",
        "Workloads by namespace, verdict and certainty, as kubectl reload status tells them",
        workloads,
    )));
    if let Some(pods) = pods {
        let pods = pods.iter().map(|pod| (&pod.namespace, pod.verdict, pod.certainty));
        registry.register_collector(Box::new(Counts::of(
            "pods",
            "Pods by namespace, verdict and certainty, as kubectl reload status tells them",
            pods,
        )));
    }
    let when = Gauge::<i64>::default();
    when.set(looked_at.as_second());
    let help = "When kubectl reload status looked at the cluster, as Unix time";
    registry.register_with_unit("status_timestamp", help, Unit::Seconds, when);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// A gauge whose series come in order, which those of a family do not.
#[derive(Debug)]
struct Counts {
    name: &'static str,
    help: &'static str,
    counts: BTreeMap<(String, Verdict, Certainty), u64>,
}

impl Counts {
    fn of<'a>(
        name: &'static str,
        help: &'static str,
        judged: impl Iterator<Item = (&'a String, Verdict, Certainty)>,
    ) -> Self {
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for (namespace, verdict, certainty) in judged {
            let namespace = printable(namespace);
            for (verdict, certainty) in STATES {
                counts.entry((namespace.clone(), verdict, certainty)).or_default();
            }
            *counts.entry((namespace, verdict, certainty)).or_default() += 1;
        }
        Self { name, help, counts }
    }
}

impl Collector for Counts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut series = encoder.encode_descriptor(self.name, self.help, None, MetricType::Gauge)?;
        for ((namespace, verdict, certainty), count) in &self.counts {
            // The words of the JSON document.
            let verdict = format!("{verdict:?}");
            let certainty = format!("{certainty:?}").to_lowercase();
            let labels = [
                ("namespace", namespace.as_str()),
                ("verdict", verdict.as_str()),
                ("certainty", certainty.as_str()),
            ];
            ConstGauge::new(*count).encode(series.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
