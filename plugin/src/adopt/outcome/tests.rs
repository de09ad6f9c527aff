//! Golden outputs, in `snapshots/`.

use super::*;
use crate::document::Form;
use crate::golden::{HOSTILE, golden};

fn outcomes(of_workloads: &[(&str, Kind, &str, &[Outcome])]) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for (namespace, kind, name, of_pods) in of_workloads {
        let workload =
            WorkloadName { namespace: (*namespace).to_owned(), kind: kind.clone(), name: (*name).to_owned() };
        for (number, outcome) in of_pods.iter().enumerate() {
            outcomes.set(&workload, &format!("{name}-{number}"), outcome.clone());
        }
    }
    outcomes
}

fn left_alone(why: &str) -> Outcome {
    Outcome::LeftAlone(why.to_owned())
}

/// Pods of each outcome that there can be in the end.
fn every() -> Outcomes {
    let drifted = left_alone("it may have drifted (configmap/settings: changed)");
    let failed = format!("may not patch pods/db-0 in namespace store: grant the right{HOSTILE}");
    let hostile = format!("bare{HOSTILE}");
    outcomes(&[
        ("shop", Kind::Deployment, "web", &[Outcome::Adopted, Outcome::Adopted, drifted.clone(), drifted]),
        ("shop", Kind::DaemonSet, "agent", &[Outcome::Recorded, Outcome::NothingToRecord]),
        ("shop", Kind::Pod, &hostile, &[left_alone("it is left out on request")]),
        ("store", Kind::StatefulSet, "db", &[Outcome::Failed(failed), Outcome::Adopted]),
        ("store", Kind::Job, "once", &[Outcome::NothingToRecord]),
    ])
}

#[test]
fn every_view_is_as_it_was() {
    let one = || outcomes(&[("shop", Kind::Job, "one", &[Outcome::Recorded])]);
    let idle = || outcomes(&[("shop", Kind::Job, "idle", &[Outcome::NothingToRecord])]);
    let hostile = format!("two{HOSTILE}");
    let planned = outcomes(&[
        ("shop", Kind::Deployment, "one", &[Outcome::Ready, Outcome::Recorded]),
        ("shop", Kind::Deployment, &hostile, &[Outcome::Ready, Outcome::Ready]),
        ("shop", Kind::Deployment, "zero", &[left_alone("it is ending")]),
    ]);
    for (name, text) in [
        ("every outcome", every().text(DryRun::None)),
        ("dry run", every().text(DryRun::Client)),
        ("server dry run", every().text(DryRun::Server)),
        ("recorded already", one().text(DryRun::None)),
        ("nothing to record", idle().text(DryRun::None)),
        ("no pods", Outcomes::default().text(DryRun::None)),
        ("asked", format!("{}Write a record onto {}?\n", planned.ready().lines(), planned.ready())),
        ("names", every().names()),
        ("json", Form::Json.write(&Document::of(&every(), DryRun::None)).unwrap()),
        ("yaml", Form::Yaml.write(&Document::of(&every(), DryRun::Server)).unwrap()),
    ] {
        golden!(name, text);
    }
}
