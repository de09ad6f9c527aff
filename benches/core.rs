//! Benchmarks of core, with a table at the end: digests against raw SHA-256 of the same bytes, the
//! record of a large pod, and the verdict of 100,000 pods whose sources did not move.
//!
//! `make bench-core`; with a filter, `cargo bench -p reload-core --bench core -- digest`.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::SystemTime;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use hmac::{Hmac, KeyInit, Mac as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodSpec;
use reload_core::content::Content;
use reload_core::digest::Hasher;
use reload_core::hash_key::HashKey;
use reload_core::record::{By, Owner, ReadSource, Record, SourceRecord, UseRecord};
use reload_core::reference::{Keys, Mode, references, selection};
use reload_core::source::{SourceId, SourceKind};
use reload_core::verdict::unmoved;
use serde_json::json;
use sha2::{Digest as _, Sha256};

type Fallible<T = ()> = Result<T, Box<dyn Error>>;

/// Lengths of a value, in bytes.
const LENGTHS: [usize; 4] = [100, 1_000, 10_000, 1_000_000];
const PODS: usize = 100_000;
const NAMESPACE: &str = "shop";
const UID: &str = "0b3f3c1e-6f0a-4b1e-9a55-0f9b7a2f6f10";

fn main() -> Fallible {
    let start = SystemTime::now();
    let mut criterion = Criterion::default().configure_from_args();
    digests(&mut criterion)?;
    records(&mut criterion)?;
    verdicts(&mut criterion)?;
    criterion.final_summary();
    table(start);
    Ok(())
}

/// Raw hash and digest of one value, one after the other, so that both meet the same machine.
fn digests(criterion: &mut Criterion) -> Fallible {
    let key = hash_key()?;
    let (map, secret) = (SourceId::config_map("m"), SourceId::secret("s"));
    let keys = Keys::all();
    for length in LENGTHS {
        let value: Vec<u8> = (0..length).map(|i| b'a' + (i % 26) as u8).collect();
        let text = String::from_utf8(value.clone())?;
        let mut group = criterion.benchmark_group("digest");
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(BenchmarkId::new("SHA-256", length), |b| {
            b.iter(|| Sha256::digest(black_box(&value)));
        });
        let content = Content::config_map([("key".to_owned(), text)], []);
        let hasher = Hasher::new(&map, NAMESPACE, None).ok_or("no hasher")?;
        group.bench_function(BenchmarkId::new("ConfigMap", length), |b| {
            b.iter(|| hasher.digest(black_box(&content), Mode::Env, &keys));
        });
        group.bench_function(BenchmarkId::new("HMAC", length), |b| {
            let mac = Hmac::<Sha256>::new(&Default::default());
            b.iter(|| mac.clone().chain_update(black_box(&value)).finalize().into_bytes());
        });
        let content = Content::secret([("key".to_owned(), value)]);
        let hasher = Hasher::new(&secret, NAMESPACE, Some(&key)).ok_or("no hasher")?;
        group.bench_function(BenchmarkId::new("Secret", length), |b| {
            b.iter(|| hasher.digest(black_box(&content), Mode::Env, &keys));
        });
        group.finish();
    }
    Ok(())
}

/// Pods of 20 containers, each with an env entry, envFrom and a mounted directory: of the same three
/// sources, and of sources of its own.
fn records(criterion: &mut Criterion) -> Fallible {
    record(criterion, "20 containers", |_| 0)?;
    record(criterion, "20 containers, 41 sources", |container| container)
}

/// `of` says which of the Secrets and ConfigMaps a container uses.
fn record(criterion: &mut Criterion, name: &str, of: impl Fn(usize) -> usize) -> Fallible {
    let container = |i: usize| {
        let (db, web) = (format!("db-{}", of(i)), format!("web-{}", of(i)));
        json!({
            "name": format!("c{i}"),
            "env": [
                {"name": "A", "value": "x"},
                {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": db, "key": "password"}}},
            ],
            "envFrom": [{"configMapRef": {"name": web}}],
            "volumeMounts": [{"name": "files", "mountPath": "/etc/files"}],
        })
    };
    let spec: PodSpec = serde_json::from_value(json!({
        "containers": (0..20).map(container).collect::<Vec<_>>(),
        "volumes": [{"name": "files", "configMap": {"name": "files"}}],
    }))?;
    let key = hash_key()?;
    let entries = |count: usize| (0..count).map(|i| (format!("KEY_{i}"), format!("value-{i}")));
    let mut contents = BTreeMap::from([(SourceId::config_map("files"), Content::config_map(entries(3), []))]);
    for i in 0..20 {
        let password = [("password".to_owned(), b"hunter2".to_vec())];
        contents.insert(SourceId::secret(format!("db-{i}")), Content::secret(password));
        contents.insert(SourceId::config_map(format!("web-{i}")), Content::config_map(entries(10), []));
    }
    let record = || {
        let uses = selection(&references(black_box(&spec), &Default::default()));
        record_of(uses.into_iter().map(|(id, modes)| {
            let read = contents.get(&id).zip(Hasher::new(&id, NAMESPACE, Some(&key)));
            let uses = modes.into_iter().filter_map(|(mode, keys)| {
                let (content, hasher) = read.as_ref()?;
                Some((mode, UseRecord::of(content, hasher, mode, &keys)))
            });
            let uses = uses.collect();
            (id, uses)
        }))
    };
    let mut group = criterion.benchmark_group(name);
    group.bench_function("references", |b| b.iter(|| references(black_box(&spec), &Default::default())));
    group.bench_function("references and record", |b| b.iter(|| record().encode()));
    group.finish();
    Ok(())
}

/// As `status` meets them: annotations to be parsed, and the present versions of all sources.
fn verdicts(criterion: &mut Criterion) -> Fallible {
    let key = hash_key()?;
    // 1,000 workloads of 100 pods, each with a ConfigMap and a Secret of its own.
    let mut annotations = Vec::with_capacity(PODS);
    let mut now = HashMap::new();
    for pod in 0..PODS {
        let workload = pod / 100;
        let (map, secret) = (
            SourceId::config_map(format!("web-{workload}-config")),
            SourceId::secret(format!("web-{workload}-credentials")),
        );
        let settings = [("LOG_LEVEL", "debug"), ("TIMEOUT", "5s")];
        let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let contents = [
            (map.clone(), Content::config_map(settings, [])),
            (secret.clone(), Content::secret([("password".to_owned(), b"hunter2".to_vec())])),
        ];
        let record = record_of(contents.into_iter().map(|(id, content)| {
            let hasher = Hasher::new(&id, NAMESPACE, Some(&key));
            let used = hasher.map(|hasher| UseRecord::of(&content, &hasher, Mode::Env, &Keys::all()));
            (id, used.into_iter().map(|used| (Mode::Env, used)).collect())
        }));
        annotations.push(record.encode()?);
        now.insert(map, (UID, "123456"));
        now.insert(secret, (UID, "123456"));
    }
    let mut group = criterion.benchmark_group("100,000 pods");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function("parse and unmoved", |b| {
        b.iter(|| {
            let current = |text: &String| {
                Record::parse(text).is_ok_and(|record| unmoved(&record, |id| now.get(id).copied()))
            };
            assert_eq!(annotations.iter().filter(|text| current(text)).count(), PODS);
        });
    });
    let records = annotations.iter().map(|text| Record::parse(text)).collect::<Result<Vec<_>, _>>()?;
    group.bench_function("unmoved", |b| {
        b.iter(|| {
            let current = |record: &&Record| unmoved(record, |id| now.get(id).copied());
            assert_eq!(records.iter().filter(current).count(), PODS);
        });
    });
    group.finish();
    Ok(())
}

fn record_of(uses: impl Iterator<Item = (SourceId, BTreeMap<Mode, UseRecord>)>) -> Record {
    let read = |(id, uses)| {
        let (uid, resource_version) = (UID.to_owned(), "123456".to_owned());
        (id, SourceRecord::Read(ReadSource { uid, resource_version, immutable: false, uses }))
    };
    let sources: BTreeMap<SourceId, SourceRecord> = uses.map(read).collect();
    Record {
        at: Timestamp::UNIX_EPOCH,
        by: By::Admission,
        namespace: NAMESPACE.to_owned(),
        owner: Owner::Controller(UID.to_owned()),
        hash_key: sources
            .keys()
            .any(|id| id.kind == SourceKind::Secret)
            .then(|| hash_key().ok().map(|key| key.id()))
            .flatten(),
        sources,
    }
}

fn hash_key() -> Fallible<HashKey> {
    Ok(HashKey::from_bytes(&[7; HashKey::LENGTH])?)
}

/// What was measured in this run.
fn table(start: SystemTime) {
    let measured = |benchmark: &str| nanoseconds(benchmark, start);
    println!("\n{:<44} {:>12} {:>10}  goal", "", "median", "ratio");
    for length in LENGTHS {
        for (ours, raw) in [("ConfigMap", "SHA-256"), ("Secret", "SHA-256"), ("Secret", "HMAC")] {
            let digest = measured(&format!("digest/{ours}/{length}"));
            let Some((digest, raw_hash)) = digest.zip(measured(&format!("digest/{raw}/{length}"))) else {
                continue;
            };
            let goal = if length >= 10_000 { ">= 0.9" } else { "" };
            let name = format!("digest of a {ours}, {length} bytes");
            let throughput = format!("{:.0} MB/s", length as f64 / digest * 1e3);
            println!("{name:<44} {throughput:>12} {:>10.3}  {goal} of {raw}", raw_hash / digest);
        }
    }
    let times = [
        ("20 containers/references", ""),
        ("20 containers/references and record", "< 50 µs"),
        ("20 containers, 41 sources/references", ""),
        ("20 containers, 41 sources/references and record", "< 50 µs"),
        ("100,000 pods/unmoved", "< 100 ms"),
        // The goal is for the comparison. Beyond it, this reads every annotation, as `status` does.
        ("100,000 pods/parse and unmoved", "< 100 ms without parsing"),
    ];
    for (name, goal) in times {
        let Some(time) = measured(name) else { continue };
        let shown =
            if time < 1e6 { format!("{:.1} µs", time / 1e3) } else { format!("{:.1} ms", time / 1e6) };
        println!("{name:<48} {shown:>8} {:>10}  {goal}", "");
    }
}

/// The median of a benchmark that was measured since `start`.
fn nanoseconds(benchmark: &str, start: SystemTime) -> Option<f64> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let file = target.join("criterion").join(benchmark).join("new/estimates.json");
    if fs::metadata(&file).ok()?.modified().ok()? < start {
        return None;
    }
    let estimates: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
