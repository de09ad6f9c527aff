//! What a command is about: namespaces, labels, and workloads by name.

use clap::Args;

use crate::workload::{Kind, WorkloadName};

/// Selects workloads as kubectl does.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ScopeArgs {
    /// Workloads, as TYPE/NAME, as TYPE NAME... or all of a TYPE; without any, all.
    #[arg(value_name = "TYPE/NAME")]
    pub(crate) targets: Vec<String>,

    /// Look at all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,

    /// Only pods with these labels, as in kubectl get.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,

    /// Only pods with these fields, as in kubectl get: metadata.name, spec.nodeName, status.phase, ...
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) field_selector: Option<String>,
}

/// Which pods are asked for, as the API server takes it; all, where it says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Selector<'a> {
    labels: Option<&'a str>,
    fields: Option<&'a str>,
}

impl Selector<'_> {
    /// The query for those of them that also have `fields`; `None` where all are asked for.
    pub(crate) fn query(&self, fields: &str) -> Option<Vec<(&'static str, String)>> {
        let own = self.fields.map(|own| ("fieldSelector", format!("{fields},{own}")));
        let labels = self.labels.map(|labels| ("labelSelector", labels.to_owned()));
        let query = [own.clone().unwrap_or_else(|| ("fieldSelector", fields.to_owned()))];
        (own.is_some() || labels.is_some()).then(|| query.into_iter().chain(labels).collect())
    }
}

/// The name of a namespace; an empty one counts as not given, as in kubectl, so that an unset variable
/// of a script never means all namespaces.
pub(crate) fn parse_namespace(text: &str) -> Result<String, String> {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.len() <= 63 && edge(text.chars().next()) && edge(text.chars().last()) && text.chars().all(inner) {
        Ok(text.to_owned())
    } else {
        Err("no namespace has such a name: see kubectl get namespaces".to_owned())
    }
}

/// A text that names no workload.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// Of a kind that is not known.
    #[error(
        "{0:?} is no kind of workload: write deployment, statefulset, daemonset, cronjob or rollout, as in deployment/web; or one of others with its group, as in cloneset.apps.kruise.io/web"
    )]
    Kind(String),
    /// A kind without a name.
    #[error("{0:?} names no workload: write TYPE/NAME, as in deployment/web")]
    Name(String),
    /// A name beside what names no single one.
    #[error(
        "{0} names one workload, which cannot be used with {1}: leave one of them out, or write the type alone"
    )]
    Named(String, &'static str),
}

impl ScopeArgs {
    /// The one namespace to look at, or `None` for all; `chosen` is the connection's.
    pub(crate) fn place(&self, chosen: String) -> Option<String> {
        (!self.all_namespaces).then_some(chosen)
    }

    /// Which pods are asked for.
    pub(crate) fn selector(&self) -> Selector<'_> {
        Selector { labels: self.selector.as_deref(), fields: self.field_selector.as_deref() }
    }

    /// The workloads that are named: `TYPE/NAME...` or `TYPE NAME...`; a kind alone is all of it.
    pub(crate) fn targets(&self) -> Result<Vec<Target>, TargetError> {
        let targets = self.parsed()?;
        let of_many = [
            (self.all_namespaces, "--all-namespaces"),
            (self.selector.is_some(), "--selector"),
            (self.field_selector.is_some(), "--field-selector"),
        ];
        let named = targets.iter().find_map(|target| Some((target, target.name.as_ref()?)));
        match (named, of_many.into_iter().find(|(given, _)| *given)) {
            (Some((target, name)), Some((_, flag))) => {
                Err(TargetError::Named(format!("{}/{name}", target.kind.singular()), flag))
            }
            _ => Ok(targets),
        }
    }

    fn parsed(&self) -> Result<Vec<Target>, TargetError> {
        match self.targets.as_slice() {
            [kind] if !kind.contains('/') => {
                kind.split(',').map(|kind| Ok(Target { kind: parse_kind(kind)?, name: None })).collect()
            }
            [kind, names @ ..] if !kind.contains('/') => {
                let kind = parse_kind(kind)?;
                let target = |name: &String| match name.contains('/') {
                    true => Err(TargetError::Name(name.clone())),
                    false => Ok(Target { kind: kind.clone(), name: Some(name.clone()) }),
                };
                names.iter().map(target).collect()
            }
            targets => targets.iter().map(|target| parse_target(target)).collect(),
        }
    }
}

/// A kind of workload, or one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) name: Option<String>,
}

impl Target {
    /// Whether `workload` is meant.
    pub(crate) fn matches(&self, workload: &WorkloadName) -> bool {
        self.kind.is(&workload.kind) && self.name.as_ref().is_none_or(|name| *name == workload.name)
    }

    /// Whether it names this pod, whatever owns it.
    pub(crate) fn is_pod(&self, pod: &str) -> bool {
        self.kind == Kind::Pod && self.name.as_deref() == Some(pod)
    }

    /// Whether this pod of `workload` is meant.
    pub(crate) fn takes(&self, workload: &WorkloadName, pod: &str) -> bool {
        self.is_pod(pod) || self.matches(workload)
    }
}

fn parse_target(text: &str) -> Result<Target, TargetError> {
    match text.split_once('/') {
        Some((kind, name)) if !name.is_empty() && !name.contains('/') => {
            Ok(Target { kind: parse_kind(kind)?, name: Some(name.to_owned()) })
        }
        _ => Err(TargetError::Name(text.to_owned())),
    }
}

fn parse_kind(text: &str) -> Result<Kind, TargetError> {
    Kind::of_name(text).ok_or_else(|| TargetError::Kind(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Owner;

    fn targets(arguments: &[&str]) -> Result<Vec<Target>, String> {
        let targets = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        ScopeArgs { targets, ..ScopeArgs::default() }.targets().map_err(|error| error.to_string())
    }

    #[test]
    fn workloads_are_named_as_in_kubectl() {
        let one = |kind, name: &str| Target { kind, name: Some(name.to_owned()) };
        let cases: [(&[&str], Vec<Target>); 8] = [
            (&["deploy/web"], vec![one(Kind::Deployment, "web")]),
            (
                &["deployment.apps/web", "sts/db"],
                vec![one(Kind::Deployment, "web"), one(Kind::StatefulSet, "db")],
            ),
            (&["ds", "a", "b"], vec![one(Kind::DaemonSet, "a"), one(Kind::DaemonSet, "b")]),
            (&["deployments"], vec![Target { kind: Kind::Deployment, name: None }]),
            (&[], vec![]),
            (&["deployments.v1.apps/web"], vec![one(Kind::Deployment, "web")]),
            (&["pods.v1", "a"], vec![one(Kind::Pod, "a")]),
            (
                &["StatefulSet.example.com/db", "cloneset.apps.kruise.io/web", "rc/old"],
                vec![
                    one(Kind::Other("statefulset.example.com".to_owned()), "db"),
                    one(Kind::Other("cloneset.apps.kruise.io".to_owned()), "web"),
                    one(Kind::Other("replicationcontroller".to_owned()), "old"),
                ],
            ),
        ];
        for (arguments, expected) in cases {
            assert_eq!(targets(arguments), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn another_groups_kind_is_another_kind() {
        let target = Target { kind: Kind::of_name("statefulset.example.com").unwrap(), name: None };
        let workload = |api_version, kind| Owner::workload_of(api_version, kind, "db", "shop");
        assert!(target.matches(&workload("example.com/v1", "StatefulSet")));
        assert!(!target.matches(&workload("apps/v1", "StatefulSet")));
    }

    #[test]
    fn a_kind_goes_with_what_selects_many_and_a_name_does_not() {
        let all = |target: &str| ScopeArgs {
            targets: vec![target.to_owned()],
            all_namespaces: true,
            ..ScopeArgs::default()
        };
        assert!(all("deployments").targets().is_ok());
        let error = all("deploy/web").targets().unwrap_err().to_string();
        assert!(error.contains("deployment/web") && error.contains("--all-namespaces"), "{error}");
        let by_label = ScopeArgs { selector: Some("a=b".to_owned()), all_namespaces: false, ..all("pod/a") };
        assert!(by_label.targets().unwrap_err().to_string().contains("--selector"));
    }

    #[test]
    fn a_selector_is_asked_for_beside_what_is_asked_for_in_any_case() {
        let query = |labels, fields| Selector { labels, fields }.query("a!=b");
        let fields = |text: &str| ("fieldSelector", text.to_owned());
        let labels = ("labelSelector", "app=web".to_owned());
        assert_eq!(query(None, None), None);
        assert_eq!(query(Some("app=web"), None), Some(vec![fields("a!=b"), labels.clone()]));
        assert_eq!(query(None, Some("c=d")), Some(vec![fields("a!=b,c=d")]));
        assert_eq!(query(Some("app=web"), Some("c=d")), Some(vec![fields("a!=b,c=d"), labels]));
    }

    #[test]
    fn an_empty_namespace_counts_as_none_and_a_wrong_one_is_refused() {
        let scope =
            |all_namespaces| ScopeArgs { all_namespaces, ..ScopeArgs::default() }.place("shop".to_owned());
        assert_eq!(scope(false).as_deref(), Some("shop"));
        assert_eq!(scope(true), None);
        assert_eq!(parse_namespace(""), Ok(String::new()));
        for name in ["../x", "A", "-a", "a.b", "a?b", &"a".repeat(64)] {
            assert!(parse_namespace(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_text_that_names_no_workload_is_refused() {
        for arguments in
            [&["web"] as &[&str], &["deploy/"], &["deploy/a/b"], &["deploy", "sts/a"], &["gadget/x"]]
        {
            let error = targets(arguments).unwrap_err();
            assert!(error.contains("deployment/web"), "{arguments:?}: {error}");
        }
    }
}
