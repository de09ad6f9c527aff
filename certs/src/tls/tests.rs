use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;
use crate::issue::{Pair, issue_ca, issue_leaf};
use crate::names::Names;
use crate::verify::{at, told, verify};

const NAME: &str = "reload.tools.svc";

fn pair() -> (Pair, Pair) {
    let day = Duration::from_secs(86_400);
    let ca = issue_ca(at(0), 10 * day).unwrap();
    let leaf = issue_leaf(&ca, &Names::parse([NAME]).unwrap(), at(0), day).unwrap();
    (ca, leaf)
}

#[test]
fn a_pair_becomes_a_configuration_with_its_dates() {
    let (_, leaf) = pair();
    let chain = leaf.certificate.to_pem();
    let serving = Serving::from_pem(chain.as_bytes(), leaf.key.to_pem().as_bytes(), at(0)).unwrap();

    assert_eq!(serving.config.alpn_protocols, [b"http/1.1".to_vec()]);
    assert_eq!(serving.not_before, at(-300));
    assert_eq!(serving.not_after, at(86_400));
    assert!(serving.is_valid_at(at(86_400)) && !serving.is_valid_at(at(86_401)));
    assert!(serving.is_same_pair(&serving.clone()));
}

#[test]
fn what_cannot_be_served_is_told_with_its_remedy() {
    let (ca, leaf) = pair();
    let chain = leaf.certificate.to_pem();
    let key = leaf.key.to_pem();
    let other = ca.key.to_pem();
    let reversed = ca.certificate.to_pem() + &chain;
    let bad_key = "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n";
    let empty_key = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
    let cut = &chain[..chain.len() - 40];
    let bad_chain = chain.replace("MII", "AAA");
    let cases: [(&str, &str, &str, i64, &str); 12] = [
        ("no chain", "", &key, 0, "no certificate in"),
        ("no key", &chain, "", 0, "no private key in"),
        ("exchanged", &key, &chain, 0, "no certificate in"),
        ("a key that does not fit", &chain, &other, 0, "does not fit"),
        ("the CA first", &reversed, &key, 0, "serving certificate first"),
        ("garbled key", &chain, bad_key, 0, "key is not well-formed"),
        ("empty key", &chain, empty_key, 0, "cannot be served"),
        ("cut chain", cut, &key, 0, "chain cannot be read"),
        ("garbled chain", &bad_chain, &key, 0, "chain cannot be read"),
        ("expired", &chain, &key, 86_401, "expired at 2030-01-02T00:00:00Z"),
        ("too early", &chain, &key, -301, "not valid before 2029-12-31"),
        ("text", "hello", "hello", 0, "no certificate in"),
    ];
    for (case, chain, key, now, expected) in cases {
        let error = Serving::from_pem(chain.as_bytes(), key.as_bytes(), at(now)).unwrap_err();
        let text = told(&error);
        assert!(text.contains(expected), "{case}: {text}");
        assert!(!text.contains("BEGIN"), "{case}: {text}");
    }
}

#[test]
fn chains_of_any_length_are_sent_whole() {
    let mut authorities: Vec<(CertificateParams, KeyPair)> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    for depth in 0..4 {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("ca {depth}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = match authorities.last() {
            None => params.self_signed(&key).unwrap(),
            Some((parent, parent_key)) => {
                let issuer = Issuer::from_params(parent, parent_key);
                params.signed_by(&key, &issuer).unwrap()
            }
        };
        texts.push(certificate.pem());
        authorities.push((params, key));
    }
    let key = KeyPair::generate().unwrap();
    let (parent, parent_key) = authorities.last().unwrap();
    let issuer = Issuer::from_params(parent, parent_key);
    let leaf = CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();

    let root = texts.remove(0);
    texts.reverse();
    // Text between the sections, as openssl writes it, is no matter.
    let chain = format!("subject=reload\n{}\n{}", leaf.pem(), texts.join("\n\n"));
    let pem = key.serialize_pem();
    let serving = Serving::from_pem(chain.as_bytes(), pem.as_bytes(), at(0)).unwrap();

    assert_eq!(serving.chain.len(), 4);
    verify(&serving.chain, &root, NAME, at(0)).unwrap();
    assert!(verify(&serving.chain[..1], &root, NAME, at(0)).is_err());
}
