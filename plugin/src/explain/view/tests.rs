use reload_core::record::{Changes, PodIdentity};
use reload_core::source::SourceId;
use reload_core::verdict::{Evidence, Finding, Pod, Reason, Run, Seen, Unrecorded, Version};

use super::super::restart::Restart;
use super::*;
use crate::report::roll_up;
use crate::survey::{Grounds, SurveyedPod};
use crate::workload::{Kind, WorkloadName};

const HOSTILE: &str = "\u{1b}[2J";

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// A pod that has no record, and the source of which was written 20 s after its start.
fn pod(name: &str, created: i64) -> SurveyedPod {
    let run = Run { started_at: Some(at(created + 1)), restarts: 0 };
    let version = Version { uid: "u".to_owned(), resource_version: "7".to_owned() };
    let written = Some((at(created + 21), HOSTILE.to_owned()));
    let finding = Finding {
        source: SourceId::config_map("settings"),
        mode: reload_core::reference::Mode::Env,
        verdict: Verdict::Drifted,
        certainty: Certainty::Inferred,
        reason: Reason::WrittenSinceStart,
        changes: Changes { changed: [format!("key{HOSTILE}")].into(), ..Changes::default() },
        since: Some(at(created + 21)),
        evidence: Evidence {
            recorded: Some(Err(Unrecorded::None.to_string())),
            now: Some(Seen::Present { version, created_at: at(-100), written }),
            runs: vec![("app".to_owned(), run)],
            lag: jiff::SignedDuration::from_secs(10),
        },
    };
    let identity = PodIdentity {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        generate_name: None,
        controller: None,
        created_at: at(created),
    };
    let judged = Pod {
        identity,
        references: [].into(),
        runs: [("app".to_owned(), run)].into_iter().collect(),
        record: Err(Unrecorded::None),
        rereads: false,
        doubts: Default::default(),
    };
    SurveyedPod {
        workload: WorkloadName {
            namespace: "shop".to_owned(),
            kind: Kind::Deployment,
            name: "web".to_owned(),
        },
        name: name.to_owned(),
        revision: Default::default(),
        created_at: at(created),
        verdict: Verdict::Drifted,
        certainty: Certainty::Inferred,
        findings: vec![finding],
        problem: None,
        grounds: Some(Box::new(Grounds { pod: judged, resource_version: "1".to_owned() })),
    }
}

#[test]
fn pods_that_stand_alike_are_shown_once_and_nothing_acts_on_the_terminal() {
    let mut pods: Vec<SurveyedPod> =
        ["a", "b", "c", "d"].iter().zip([30, 0, 10, 20]).map(|(name, at)| pod(name, at)).collect();
    pods[3].findings[0].reason = Reason::TooClose;
    let reports = roll_up(&pods);
    let restart = Restart { helps: true, words: format!("It would roll{HOSTILE}.") };
    let explained = Explained::of(&reports[0], &pods.iter().collect::<Vec<_>>(), restart);
    let text = text(&Document::of(vec![explained]), Paint::PLAIN);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    for line in [
        "deployment/web in shop: Possibly drifted (inferred)",
        "3 pods alike, b, c, a: Possibly drifted (inferred)",
        "  Times are those of b.",
        "  configmap/settings: Possibly drifted (inferred): written since the start",
        "    changed key\u{fffd}[2J",
        "    Container app started at 2026-09-21T14:13:21Z, for the first time.",
        "    The last write came 20 s after container app had started.",
        "Pod d: Possibly drifted (inferred)",
        "It would roll\u{fffd}[2J.",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
    }
}
