use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::*;
use crate::verify::{at, verify};

const DAY: Duration = Duration::from_secs(86_400);

fn names() -> Names {
    Names::parse(["reload.tools.svc", "127.0.0.1", "fd00::1"]).unwrap()
}

#[test]
fn a_ca_may_sign_certificates_and_nothing_below_another_ca() {
    let ca = issue_ca(at(0), 3650 * DAY).unwrap();
    let (_, x509) = X509Certificate::from_der(ca.certificate.der()).unwrap();

    let constraints = x509.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let usage = x509.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    assert!(ca.certificate.is_signed_by(&ca.certificate));
    assert!(ca.key.fits(&ca.certificate));
    let validity = ca.certificate.validity();
    assert_eq!(validity.not_before, at(-300));
    assert_eq!(validity.not_after, at(3650 * 86_400));
    assert_eq!(issued_at(validity), at(0));
}

#[test]
fn a_leaf_serves_its_names_and_signs_nothing() {
    let ca = issue_ca(at(0), 3650 * DAY).unwrap();
    let leaf = issue_leaf(&ca, &names(), at(0), 365 * DAY).unwrap();
    let (_, x509) = X509Certificate::from_der(leaf.certificate.der()).unwrap();

    let constraints = x509.basic_constraints().unwrap().unwrap();
    assert!(!constraints.value.ca);
    let usage = x509.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth && !usage.any);
    assert!(leaf.certificate.is_signed_by(&ca.certificate));
    assert!(names().are_within(leaf.certificate.names()));
    assert_eq!(leaf.certificate.names().len(), 3);
    assert!(leaf.key.fits(&leaf.certificate) && !leaf.key.fits(&ca.certificate));

    let chain = [leaf.certificate.der().clone()];
    let bundle = ca.certificate.to_pem();
    let cases = [
        ("the service", "reload.tools.svc", 0, true),
        ("an address", "127.0.0.1", 0, true),
        ("an IPv6 address", "fd00::1", 0, true),
        ("a clock that is behind", "reload.tools.svc", -299, true),
        ("a clock that is far behind", "reload.tools.svc", -301, false),
        ("another name", "other.tools.svc", 0, false),
        ("after its end", "reload.tools.svc", 366 * 86_400, false),
    ];
    for (case, name, seconds, accepted) in cases {
        let verdict = verify(&chain, &bundle, name, at(seconds));
        assert_eq!(verdict.is_ok(), accepted, "{case}: {verdict:?}");
    }
}

#[test]
fn another_ca_of_the_same_moment_is_no_issuer() {
    let ca = issue_ca(at(0), 10 * DAY).unwrap();
    let other = issue_ca(at(0), 10 * DAY).unwrap();
    let leaf = issue_leaf(&ca, &names(), at(0), DAY).unwrap();

    assert!(!leaf.certificate.is_signed_by(&other.certificate));
    assert!(!ca.certificate.is_signed_by(&leaf.certificate));
}

#[test]
fn a_leaf_never_outlives_its_ca() {
    let ca = issue_ca(at(0), 10 * DAY).unwrap();
    let leaf = issue_leaf(&ca, &names(), at(8 * 86_400), 5 * DAY).unwrap();

    assert_eq!(leaf.certificate.validity().not_after, ca.certificate.validity().not_after);
}

#[test]
fn dates_that_no_certificate_holds_are_an_error() {
    let cases = [("before 1970", Timestamp::MIN, DAY), ("just before 1970", Timestamp::UNIX_EPOCH, DAY)];
    for (case, now, life) in cases {
        let made = issue_ca(now, life);
        assert!(matches!(made, Err(IssueError::Date { .. })), "{case}");
    }
}

#[test]
fn a_key_survives_its_pem_form_and_is_never_shown() {
    let pair = issue_ca(at(0), DAY).unwrap();
    let pem = pair.key.to_pem();
    let read = PrivateKey::from_pem(pem.as_bytes()).unwrap();

    assert!(read.fits(&pair.certificate));
    let body = pem.lines().nth(1).unwrap();
    let shown = format!("{pair:?} {read:?}");
    assert!(shown.contains("PrivateKey(..)") && !shown.contains(body));
    assert!(matches!(PrivateKey::from_pem(b"garbage"), Err(KeyError::Missing)));
    let empty = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(matches!(PrivateKey::from_pem(empty), Err(KeyError::Unusable(_))));
}

#[test]
fn a_certificate_survives_its_pem_form() {
    let ca = issue_ca(at(0), DAY).unwrap().certificate;
    let other = issue_ca(at(0), DAY).unwrap().certificate;
    let text = crate::certificate::bundle([&ca, &other]);

    let read = Certificate::list_from_pem(text.as_bytes()).unwrap();
    assert_eq!(read, [ca, other]);
    assert!(text.lines().all(|line| line.len() <= 64));
    assert!(Certificate::list_from_pem(b"").unwrap().is_empty());
    let garbled = text.replace("MII", "AAA");
    assert!(Certificate::list_from_pem(garbled.as_bytes()).is_err());
}
