use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use jiff::SignedDuration;

use self::api::Api;
use super::*;
use crate::inject::Injection;
use crate::verify::{at, start, told, verify};

mod api;

const NAME: &str = "reload.tools.svc";
const REGISTRATION: &str = "zz-kubectl-reload";

fn keeper(api: &Api, registration: Option<&str>) -> OwnCertificates {
    let names = Names::parse([NAME]).unwrap();
    let registration = registration.map(str::to_owned);
    OwnCertificates::new(api.client(), "tools", "reload-tls", names, registration).with_jitter(Jitter::NONE)
}

fn bundle(api: &Api) -> String {
    let bundle = STANDARD.decode(&api.bundles()[0]).unwrap();
    String::from_utf8(bundle).unwrap()
}

#[tokio::test]
async fn the_first_round_makes_all_and_the_second_only_looks() {
    let api = Api::with_registration(&["one.dev", "two.dev"]);
    let own = keeper(&api, Some(REGISTRATION));

    let first = own.ensure(at(0)).await.unwrap();
    assert_eq!(first.injection, Injection::Patched { webhooks: 2 });
    assert_eq!(first.ca_not_after, Some(at(3650 * 86_400)));
    assert_eq!(api.bundles()[0], api.bundles()[1]);
    verify(&first.chain, &bundle(&api), NAME, at(0)).unwrap();

    api.change(|objects| objects.requests.clear());
    let second = own.ensure(at(60)).await.unwrap();
    assert_eq!(second.injection, Injection::Current);
    assert!(second.is_same_pair(&first));
    let requests = api.change(|objects| objects.requests.clone());
    assert_eq!(requests, ["GET registration", "GET secret"]);
}

#[tokio::test]
async fn the_registration_is_no_condition_for_serving() {
    let api = Api::default();
    let cases = [(None, Injection::Unmanaged), (Some(REGISTRATION), Injection::Missing)];
    for (registration, expected) in cases {
        let serving = keeper(&api, registration).ensure(at(0)).await.unwrap();
        assert_eq!(serving.injection, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_registers_it_later_does_not_wait_long_for_the_bundle() {
    let api = Api::default();
    let own = keeper(&api, Some(REGISTRATION));
    let serving = own.ensure(at(0)).await.unwrap();
    let (patched, mut told) = tokio::sync::mpsc::unbounded_channel();
    let begun = tokio::time::Instant::now();
    let run = own.run(
        serving,
        || at(1),
        |event| match event {
            Event::Unchanged(serving) | Event::Changed(serving) => match serving.injection {
                Injection::Missing => {
                    let registered = Api::with_registration(&["one.dev"]);
                    let registration = registered.change(|objects| objects.registration.clone());
                    api.change(|objects| objects.registration = registration);
                }
                injection => patched.send((injection, begun.elapsed())).unwrap(),
            },
            Event::Failed { error, .. } => panic!("{error}"),
        },
    );
    let (injection, after) = tokio::select! {
        never = run => match never {},
        told = told.recv() => told.unwrap(),
    };
    assert_eq!(injection, Injection::Patched { webhooks: 1 });
    // By the test's own clock, which stands still while anything is done.
    assert!(after < Duration::from_secs(5), "{after:?}");
}

#[tokio::test]
async fn an_emptied_bundle_is_filled_again() {
    let api = Api::with_registration(&["one.dev", "two.dev"]);
    let own = keeper(&api, Some(REGISTRATION));
    own.ensure(at(0)).await.unwrap();
    api.change(|objects| {
        let registration = objects.registration.as_mut().unwrap();
        registration["webhooks"][1]["clientConfig"] = serde_json::json!({});
    });

    let serving = own.ensure(at(60)).await.unwrap();
    assert_eq!(serving.injection, Injection::Patched { webhooks: 1 });
    assert_eq!(api.bundles()[0], api.bundles()[1]);
}

#[tokio::test]
async fn a_clock_that_jumps_past_an_expiry_and_back_is_healed_in_one_round() {
    const DAY: i64 = 86_400;
    let api = Api::with_registration(&["one.dev"]);
    let own = keeper(&api, Some(REGISTRATION));
    let first = own.ensure(at(0)).await.unwrap();
    // Past the certificate's end, past the CA's, and back to before either began.
    for days in [500, 4000, 8000, -100] {
        let now = at(days * DAY);
        assert!(verify(&first.chain, &bundle(&api), NAME, now).is_err(), "{days}");
        let serving = own.ensure(now).await.unwrap();
        verify(&serving.chain, &bundle(&api), NAME, now).unwrap();
        assert!(!serving.is_same_pair(&first), "{days}");
        let again = own.ensure(now).await.unwrap();
        assert!(again.is_same_pair(&serving), "{days}");
    }
}

#[tokio::test(start_paused = true)]
async fn replicas_that_start_at_the_same_moment_agree() {
    let api = Api::with_registration(&["one.dev"]);
    let mut replicas = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let own = keeper(&api, Some(REGISTRATION));
        replicas.spawn(async move { own.ensure(at(0)).await.unwrap() });
    }
    let serving = replicas.join_all().await;

    assert!(serving.iter().all(|one| one.is_same_pair(&serving[0])));
    verify(&serving[0].chain, &bundle(&api), NAME, at(0)).unwrap();
    let writes = api.change(|objects| {
        let requests = objects.requests.iter();
        requests.filter(|request| *request == "POST secret").count()
    });
    assert!(writes > 1, "they did race");
}

#[tokio::test(start_paused = true)]
async fn faults_are_told_with_their_remedy() {
    let conflicts: Vec<_> = (0..MOST_TRIES).map(|_| (Method::POST, StatusCode::CONFLICT)).collect();
    let one = |method, status| vec![(method, status)];
    let cases = [
        (
            "no right to read",
            one(Method::GET, StatusCode::FORBIDDEN),
            "grant its service account `get` and `patch`",
        ),
        ("no right to create", one(Method::POST, StatusCode::FORBIDDEN), "`create` of secrets"),
        (
            "no right to patch",
            one(Method::PATCH, StatusCode::FORBIDDEN),
            "grant its service account `get` and `patch`",
        ),
        ("refused content", one(Method::POST, StatusCode::UNPROCESSABLE_ENTITY), "delete it"),
        ("no namespace", one(Method::POST, StatusCode::NOT_FOUND), "does the namespace exist"),
        (
            "an API server in trouble",
            one(Method::GET, StatusCode::INTERNAL_SERVER_ERROR),
            "does the API server answer",
        ),
        ("others are always faster", conflicts, "10 times in a row"),
    ];
    for (case, faults, expected) in cases {
        let api = Api::with_registration(&["one.dev"]);
        api.change(|objects| objects.faults = faults);
        let own = keeper(&api, Some(REGISTRATION));
        let error = told(&own.ensure(at(0)).await.unwrap_err());
        assert!(error.contains(expected), "{case}: {error}");
        own.ensure(at(0)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hangs_ends_the_round_and_not_the_server() {
    let api = Api::default();
    api.change(|objects| objects.hangs = true);
    let error = keeper(&api, None).ensure(at(0)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout));
}

#[tokio::test(start_paused = true)]
async fn the_loop_renews_in_time_and_keeps_on_through_faults() {
    let api = Api::with_registration(&["one.dev"]);
    let second = Duration::from_secs(1);
    let settings = Settings::new(900 * second, 300 * second, 40 * second).unwrap();
    let own = keeper(&api, Some(REGISTRATION)).with_settings(settings);
    let began = tokio::time::Instant::now();
    let clock = || start() + SignedDuration::try_from(began.elapsed()).unwrap();
    let first = own.ensure(clock()).await.unwrap();
    let internal = (Method::GET, StatusCode::INTERNAL_SERVER_ERROR);
    api.change(|objects| objects.faults = vec![internal; 5]);

    let serving = Mutex::new(first.clone());
    let (changed, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let run = own.run(first, clock, |event| match event {
        Event::Changed(pair) => {
            changed.lock().unwrap().push(began.elapsed().as_secs());
            *serving.lock().unwrap() = pair;
        }
        Event::Unchanged(_) => {
            let pair = serving.lock().unwrap();
            verify(&pair.chain, &bundle(&api), NAME, clock()).unwrap();
        }
        Event::Failed { retry_in, .. } => failed.lock().unwrap().push(retry_in),
    });
    // Dropping the future is how it ends.
    assert!(tokio::time::timeout(3600 * second, run).await.is_err());

    let failed = failed.into_inner().unwrap();
    assert_eq!(failed.len(), 5);
    assert!(failed.is_sorted(), "{failed:?}");
    let changed = changed.into_inner().unwrap();
    assert_eq!(changed[0], 200, "two thirds of the leaf's life");
    assert!(changed.len() >= 16, "{changed:?}");
}

#[test]
fn retries_double_up_to_a_minute_and_half_of_them_is_chance() {
    let cases = [(0, 500), (1, 1_000), (3, 4_000), (6, 30_000), (40, 30_000)];
    for (failures, millis) in cases {
        let least = Duration::from_millis(millis);
        assert_eq!(backoff(failures, Jitter::NONE), least, "{failures}");
        let most = backoff(failures, Jitter::fixed(1.0));
        assert!(most <= least * 2 && most > least, "{failures}: {most:?}");
    }
}
