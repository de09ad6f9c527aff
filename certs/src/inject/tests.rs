use std::time::Duration;

use super::*;
use crate::certificate::bundle;
use crate::issue::issue_ca;
use crate::verify::at;

fn ca() -> Certificate {
    issue_ca(at(0), Duration::from_secs(900)).unwrap().certificate
}

fn found(bundles: &[&str]) -> Observed {
    let names = ["one.dev", "two.dev", "three.dev"];
    Observed::Found {
        version: "42".into(),
        webhooks: std::iter::zip(names, bundles)
            .map(|(name, bundle)| (name.into(), bundle.as_bytes().into()))
            .collect(),
    }
}

#[test]
fn only_webhooks_whose_certificates_differ_are_patched() {
    let (old, new) = (ca(), ca());
    let wanted = bundle([&old, &new]);
    let spaced = format!("a comment\n{wanted}\n\n");
    let less = bundle([&old]);
    let cases: [(&str, Vec<&str>, Vec<&str>); 7] = [
        ("all have it", vec![&wanted, &wanted], vec![]),
        ("empty", vec!["", &wanted], vec!["one.dev"]),
        ("one CA less", vec![&wanted, &less], vec!["two.dev"]),
        ("garbled", vec!["garbage"], vec!["one.dev"]),
        ("cut", vec![&wanted[..wanted.len() - 9]], vec!["one.dev"]),
        ("written down in another way", vec![&spaced], vec![]),
        ("no webhook", vec![], vec![]),
    ];
    for (case, bundles, expected) in cases {
        assert_eq!(found(&bundles).stale(&wanted), expected, "{case}");
    }
}

#[test]
fn a_patch_holds_the_version_and_the_bundle_and_nothing_else() {
    let bundle = bundle([&ca()]);
    let observed = found(&["", "", &bundle]);
    let patch = observed.patch(&bundle, &observed.stale(&bundle)).unwrap();

    let encoded = STANDARD.encode(&bundle);
    let expected = json!({
        "metadata": { "resourceVersion": "42" },
        "webhooks": [
            { "name": "one.dev", "clientConfig": { "caBundle": encoded } },
            { "name": "two.dev", "clientConfig": { "caBundle": encoded } },
        ],
    });
    assert_eq!(patch, expected);
    assert_eq!(observed.patch(&bundle, &[]), None);
}

#[test]
fn a_registration_holds_a_ca_only_in_all_of_its_webhooks() {
    let (ca, other) = (ca(), ca());
    let text = bundle([&other, &ca]);
    let less = bundle([&other]);
    let cases = [
        ("none to look after", Observed::Unmanaged, true),
        ("missing", Observed::Missing, false),
        ("in all", found(&[&text, &text]), true),
        ("in one", found(&[&text, &less]), false),
        ("emptied", found(&["", &text]), false),
    ];
    for (case, observed, expected) in cases {
        assert_eq!(observed.holds(&ca), expected, "{case}");
    }
}

#[test]
fn a_registration_is_read_with_all_of_its_webhooks() {
    let registration = serde_json::from_value(json!({
        "metadata": { "name": "zz-kubectl-reload", "resourceVersion": "7" },
        "webhooks": [
            { "name": "one.dev", "clientConfig": { "caBundle": "YQ==" },
              "admissionReviewVersions": ["v1"], "sideEffects": "None" },
            { "name": "two.dev", "clientConfig": {},
              "admissionReviewVersions": ["v1"], "sideEffects": "None" },
        ],
    }));
    let registration: MutatingWebhookConfiguration = registration.unwrap();

    let expected = Observed::Found {
        version: "7".into(),
        webhooks: vec![("one.dev".into(), b"a".to_vec()), ("two.dev".into(), Vec::new())],
    };
    assert_eq!(Observed::from(registration), expected);
}
