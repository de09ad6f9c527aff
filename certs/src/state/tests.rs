use std::time::Duration;

use rustls::pki_types::CertificateDer;

use super::*;
use crate::verify::{at, verify};

const NAME: &str = "reload.tools.svc";

fn names() -> Names {
    Names::parse([NAME]).unwrap()
}

fn settings() -> Settings {
    let second = Duration::from_secs(1);
    Settings::new(900 * second, 300 * second, 40 * second).unwrap()
}

fn registration(bundle: &str) -> Observed {
    Observed::Found { version: "1".into(), webhooks: vec![("pods.kubectl-reload.dev".into(), bundle.into())] }
}

fn settle(state: &mut State, seconds: i64, names: &Names, observed: &Observed) -> Vec<Step> {
    let terms = Terms { names, settings: &settings(), jitter: Jitter::NONE };
    state.settle(at(seconds), terms, observed).unwrap()
}

fn fresh() -> State {
    let mut state = State::default();
    let steps = settle(&mut state, 0, &names(), &Observed::Missing);
    assert_eq!(steps, [Step::Remake(Reason::Missing)]);
    state
}

fn chain(state: &State) -> Vec<CertificateDer<'static>> {
    vec![state.leaf.as_ref().unwrap().certificate.der().clone()]
}

#[test]
fn what_is_made_from_nothing_serves_and_stays() {
    let mut state = fresh();
    verify(&chain(&state), &state.bundle(), NAME, at(0)).unwrap();
    assert_eq!(state.authorities().count(), 1);

    let observed = registration(&state.bundle());
    assert!(settle(&mut state, 0, &names(), &observed).is_empty());
    assert!(settle(&mut state, 199, &names(), &observed).is_empty());
}

#[test]
fn a_renewed_leaf_has_another_key_and_the_same_ca() {
    let mut state = fresh();
    let (before, bundle) = (chain(&state), state.bundle());
    let steps = settle(&mut state, 200, &names(), &registration(&bundle));

    assert_eq!(steps, [Step::RenewLeaf(Reason::Due)]);
    assert_ne!(chain(&state), before);
    assert_eq!(state.bundle(), bundle);
    verify(&chain(&state), &bundle, NAME, at(200)).unwrap();
}

#[test]
fn names_that_are_missing_are_added_and_dropped_at_the_next_renewal() {
    let mut state = fresh();
    let other = Names::parse(["other.tools.svc"]).unwrap();
    let unmanaged = Observed::Unmanaged;

    let steps = settle(&mut state, 10, &other, &unmanaged);
    assert_eq!(steps, [Step::RenewLeaf(Reason::Names)]);
    assert!(settle(&mut state, 10, &names(), &unmanaged).is_empty());
    assert!(settle(&mut state, 10, &other, &unmanaged).is_empty());

    settle(&mut state, 250, &other, &unmanaged);
    assert_eq!(state.leaf.unwrap().certificate.names().len(), 1, "the old name has gone");
}

#[test]
fn a_lost_secret_leaves_the_leaves_of_other_replicas_trusted() {
    let before = fresh();
    let observed = registration(&before.bundle());
    let mut state = State::default();
    settle(&mut state, 50, &names(), &observed);

    let bundle = state.bundle();
    verify(&chain(&before), &bundle, NAME, at(50)).unwrap();
    verify(&chain(&state), &bundle, NAME, at(50)).unwrap();

    let steps = settle(&mut state, 90, &names(), &registration(&bundle));
    assert_eq!(steps, [Step::DropRetired]);
    assert_eq!(state.authorities().count(), 1);
    assert_eq!(state.retired_since, None);
}

#[test]
fn certificates_in_the_registration_that_are_no_ca_or_expired_are_not_taken_over() {
    let mut old = fresh();
    let leaf = old.leaf.take().unwrap().certificate;
    let bundle = format!("{}{}", old.bundle(), leaf.to_pem());
    let mut state = State::default();

    settle(&mut state, 901, &names(), &registration(&bundle));
    assert_eq!(state.authorities().count(), 1);
    let mut state = State::default();
    settle(&mut state, 10, &names(), &registration(&bundle));
    assert_eq!(state.authorities().count(), 2, "the new CA and the old one");
}

#[test]
fn a_lost_ca_key_is_replaced_without_a_gap() {
    let mut state = fresh();
    let old_leaf = chain(&state);
    state.issuing.as_mut().unwrap().key = None;

    let observed = registration(&state.bundle());
    let steps = settle(&mut state, 10, &names(), &observed);
    assert_eq!(steps, [Step::PrepareNext(Reason::Key)]);
    assert_eq!(chain(&state), old_leaf);

    let observed = registration(&state.bundle());
    let steps = settle(&mut state, 11, &names(), &observed);
    assert_eq!(steps, [Step::Publish(Some(at(11)))]);
    let steps = settle(&mut state, 51, &names(), &observed);
    assert_eq!(steps, [Step::Promote(Reason::Overlap)]);
    verify(&old_leaf, &state.bundle(), NAME, at(51)).unwrap();
    verify(&chain(&state), &state.bundle(), NAME, at(51)).unwrap();
}

/// One replica of the simulation below: when it looks, and what it serves.
struct Replica {
    every: i64,
    serves: Vec<CertificateDer<'static>>,
}

/// Replicas with one Secret and one registration, which are here a state and a text. A look is
/// what the keeper does in one round.
struct Cluster {
    state: State,
    bundle: String,
    steps: Vec<Step>,
}

impl Cluster {
    fn look(&mut self, now: i64, replica: &mut Replica) {
        let observed = registration(&self.bundle);
        let steps = settle(&mut self.state, now, &names(), &observed);
        self.steps.extend(steps);
        self.bundle = self.state.bundle();
        replica.serves = chain(&self.state);
    }
}

#[test]
fn no_replica_ever_serves_what_clients_do_not_trust_through_many_rotations() {
    let mut cluster = Cluster { state: State::default(), bundle: String::new(), steps: Vec::new() };
    let mut replicas: Vec<Replica> = [7, 9, 10].map(|every| Replica { every, serves: Vec::new() }).into();
    for replica in &mut replicas {
        cluster.look(0, replica);
    }
    // What clients trust lags behind the registration by up to this many seconds.
    let lag = 5;
    let mut trusted = vec![cluster.bundle.clone()];
    let mut most = 0;
    for now in 1..6_000 {
        for replica in &mut replicas {
            if now % replica.every == 0 {
                cluster.look(now, replica);
            }
        }
        trusted.push(cluster.bundle.clone());
        most = most.max(cluster.state.authorities().count());
        let lagging = &trusted[usize::try_from((now - lag).max(0)).unwrap()];
        for replica in &replicas {
            for bundle in [lagging, &cluster.bundle] {
                let verdict = verify(&replica.serves, bundle, NAME, at(now));
                assert_eq!(verdict, Ok(()), "{now}: looks every {}", replica.every);
            }
        }
    }
    let count = |wanted: Step| cluster.steps.iter().filter(|s| **s == wanted).count();
    assert!(count(Step::Promote(Reason::Overlap)) >= 8);
    assert_eq!(count(Step::DropRetired), count(Step::Promote(Reason::Overlap)));
    assert_eq!(count(Step::Remake(Reason::Missing)), 1);
    assert_eq!(most, 2);
}

#[test]
fn a_registration_that_is_emptied_holds_the_rotation_back_until_it_is_filled_again() {
    let mut state = fresh();
    let observed = registration(&state.bundle());
    settle(&mut state, 250, &names(), &observed);
    settle(&mut state, 500, &names(), &observed);
    let steps = settle(&mut state, 600, &names(), &observed);
    assert_eq!(steps, [Step::PrepareNext(Reason::Due)]);

    let full = registration(&state.bundle());
    settle(&mut state, 601, &names(), &full);
    let steps = settle(&mut state, 641, &names(), &registration(""));
    assert_eq!(steps, [Step::Publish(None)]);
    let steps = settle(&mut state, 642, &names(), &full);
    assert_eq!(steps, [Step::Publish(Some(at(642)))]);
    assert!(settle(&mut state, 681, &names(), &full).is_empty());
    let steps = settle(&mut state, 682, &names(), &full);
    assert_eq!(steps, [Step::Promote(Reason::Overlap)]);
}
