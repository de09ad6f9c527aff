//! What verdicts look at in a pod, by the options in its annotations and around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use reload_core::options::{Carrier, InvalidOption, Live, Options};
use reload_core::record::Record;
use reload_core::reference::{MAX_PAIRS, Reference, extra_references};
use reload_core::source::SourceId;
use reload_core::verdict::{self, Unrecorded};

use super::FetchedPod;
use crate::inventory::PodMetadata;

/// What keeps a pod from being judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unjudged {
    /// An annotation that is not understood.
    #[error(transparent)]
    Option(#[from] InvalidOption),
    /// More than is looked at.
    #[error("too many references: its volumes, variables and `extra` sources are not looked at")]
    TooManyReferences,
}

/// A pod as verdicts look at it, and whether none is wanted.
pub(crate) struct Extracted {
    pub(crate) pod: verdict::Pod,
    pub(crate) ignored: bool,
}

/// Takes from a pod what verdicts look at, by the options in its annotations and around it.
///
/// # Errors
/// An annotation that is not understood, or more references than are looked at.
pub(crate) fn extract(
    pod: FetchedPod,
    metadata: &PodMetadata,
    record: Result<Record, Unrecorded>,
    around: &Options,
    mut ignore: impl FnMut(&SourceId) -> bool,
) -> Result<Extracted, Unjudged> {
    let object = format!("pod/{} in namespace {}", metadata.name, metadata.namespace);
    let options = Options::parse(Carrier::Pod, &object, &pod.annotations)?.within(around);
    let ignored = options.ignore == Some(true);
    let FetchedPod { spec, runs, .. } = pod;
    let with_extra = spec.containers.len().saturating_mul(options.extra.len()).saturating_add(spec.pairs);
    if with_extra > MAX_PAIRS && !ignored {
        return Err(Unjudged::TooManyReferences);
    }
    let extra = if ignored { Vec::new() } else { extra_references(&spec.containers, &options.extra) };
    let is_used = |used: &&Reference| !options.exclude.contains(&used.source) && !ignore(&used.source);
    let used: Vec<&Reference> = spec.references.iter().chain(&extra).filter(is_used).collect();
    // Those of its template, where none is left out or added.
    let references = match extra.is_empty() && used.len() == spec.references.len() {
        true => Arc::clone(&spec.references),
        false => used.into_iter().cloned().collect(),
    };
    let rereads = options.live == Some(Live::Reread);
    let namespace = metadata.namespace.clone();
    let pod = verdict::Pod { namespace, references, runs, record, rereads, doubts: BTreeMap::new() };
    Ok(Extracted { pod, ignored })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::pods::fetched::{InFull, Specs};

    fn extracted(specs: &mut Specs, spec: &Value, annotations: Value) -> Result<Extracted, Unjudged> {
        let pod = json!({"metadata": {"uid": "u", "annotations": annotations}, "spec": spec});
        let (_, pod) = serde_json::from_value::<InFull>(pod).unwrap().kept(specs);
        let metadata = PodMetadata::named("p", Timestamp::UNIX_EPOCH);
        extract(pod, &metadata, Err(Unrecorded::None), &Options::default(), |_| false)
    }

    #[test]
    fn pods_of_one_template_share_its_references_but_where_an_option_tells_them_apart() {
        let spec = json!({"containers": [{"name": "c", "envFrom": [
            {"configMapRef": {"name": "a"}}, {"configMapRef": {"name": "b"}}]}]});
        let mut specs = Specs::default();
        let mut of = |annotations: Value| extracted(&mut specs, &spec, annotations).unwrap().pod;
        let (one, other) = (of(json!({})), of(json!({})));
        assert!(Arc::ptr_eq(&one.references, &other.references));
        for (annotation, sources) in [("exclude", vec!["b"]), ("extra", vec!["a", "b", "a"])] {
            let pod = of(json!({format!("kubectl-reload.dev/{annotation}"): "configmap/a"}));
            let names: Vec<&str> = pod.references.iter().map(|used| used.source.name.as_str()).collect();
            assert_eq!(names, sources, "{annotation}");
        }
    }

    #[test]
    fn a_pod_with_millions_of_pairs_to_look_at_is_not_judged_and_told_why() {
        let many = |count: usize, of: fn(usize) -> Value| (0..count).map(of).collect::<Vec<_>>();
        let mounts = |count| many(count, |i| json!({"name": "v", "mountPath": format!("/m{i}")}));
        let items = many(3900, |i| json!({"key": format!("k{i}"), "path": "p"}));
        let mounting = |count| {
            json!({
                "containers": [{"name": "c", "volumeMounts": mounts(count)}],
                "volumes": [{"name": "v", "configMap": {"name": "m", "items": items}}],
            })
        };
        let containers = json!({"containers": many(500, |i| json!({"name": format!("c{i}")}))});
        let extra: Vec<_> = (0..1000).map(|i| format!("configmap/m{i}")).collect();
        let extra = json!({"kubectl-reload.dev/extra": extra.join(",")});
        let ignored = json!({"kubectl-reload.dev/extra": extra["kubectl-reload.dev/extra"],
            "kubectl-reload.dev/ignore": "true"});
        let of = |spec: Value, annotations| extracted(&mut Specs::default(), &spec, annotations);
        for (name, spec, annotations) in [
            ("mounts by items", mounting(4000), json!({})),
            ("containers by extra", containers.clone(), extra),
        ] {
            let Err(why) = of(spec, annotations) else { panic!("{name}: it is judged") };
            assert!(why.to_string().starts_with("too many references"), "{name}: {why}");
        }
        assert!(of(mounting(1), json!({})).is_ok());
        assert!(of(containers, ignored).is_ok_and(|pod| pod.ignored && pod.pod.references.is_empty()));
    }
}
