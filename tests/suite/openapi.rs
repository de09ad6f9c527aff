//! No reference is missed: whatever field of a pod spec can name a ConfigMap or a Secret, by the
//! schema that the API server itself serves, is extracted, or is left out for a reason.
//!
//! `tests/openapi` keeps that schema per minor version of Kubernetes, from the oldest supported one
//! on. `make refresh-openapi` writes them: that of the control plane that the tests run as it serves
//! it, the others as Kubernetes' own source has them.

#[path = "openapi/schema.rs"]
mod schema;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use http::Request;
use k8s_openapi::api::core::v1::PodSpec;
use reload_core::reference::{Reference, references};
use reload_core::source::SourceKind;
use reload_tests::Cluster;
use serde_json::{Value, json};

use schema::{Field, Schema};

/// Fields that can name a source, or look as if they could, and are no references, with all that
/// lies in them.
const LEFT_OUT: [(&str, &str); 15] = [
    ("ephemeralContainers[]", "they come later than the record, and are there for debugging"),
    ("imagePullSecrets[]", "the kubelet's credentials for a registry: the process never sees them"),
    (
        "securityContext.fsGroupChangePolicy",
        "names a policy; only its description speaks of volumes of Secrets",
    ),
    ("volumes[].azureFile.secretName", "the storage driver's credentials"),
    ("volumes[].cephfs.secretFile", "a path on the node"),
    ("volumes[].cephfs.secretRef", "the storage driver's credentials"),
    ("volumes[].cinder.secretRef", "the storage driver's credentials"),
    ("volumes[].csi.nodePublishSecretRef", "the storage driver's credentials"),
    ("volumes[].ephemeral.volumeClaimTemplate", "names owners and origins of a claim, none of them a source"),
    ("volumes[].flexVolume.secretRef", "the storage driver's credentials"),
    ("volumes[].image.reference", "names an image; its description speaks of pull secrets"),
    ("volumes[].iscsi.secretRef", "the storage driver's credentials"),
    ("volumes[].rbd.secretRef", "the storage driver's credentials"),
    ("volumes[].scaleIO.secretRef", "the storage driver's credentials"),
    ("volumes[].storageos.secretRef", "the storage driver's credentials"),
];

/// What the field under test is set to.
const NAME: &str = "the-name-in-question";

#[test]
fn every_field_that_can_name_a_source_is_extracted_or_left_out() -> Result<()> {
    for schema in stored()? {
        let version = schema.version()?;
        let fields = schema.fields()?;
        ensure!(fields.len() > 1000, "{version}: the walk saw {} fields only", fields.len());
        let mut extracted = 0;
        let mut missed = Vec::new();
        for field in fields.iter().filter(|field| field.suspicious) {
            if left_out(field) {
                continue;
            }
            let inside = fields.iter().filter(|inner| inner.text && inner.is_within(&field.path()));
            let mut surfaces = false;
            for text in inside {
                surfaces |= is_extracted(&schema, text)?;
            }
            match surfaces {
                true => extracted += 1,
                false => missed.push(field.path()),
            }
        }
        ensure!(
            missed.is_empty(),
            "{version}: neither extracted by reload_core::reference nor left out in {}:\n{}",
            file!(),
            missed.join("\n")
        );
        ensure!(extracted > 0, "{version}: nothing is extracted");
    }
    Ok(())
}

#[test]
fn what_is_left_out_is_there_and_is_not_extracted() -> Result<()> {
    for schema in stored()? {
        let version = schema.version()?;
        let fields = schema.fields()?;
        for (path, reason) in LEFT_OUT {
            let inside = || fields.iter().filter(|field| field.is_within(path));
            ensure!(inside().any(|field| field.path() == path), "{version}: there is no field {path}");
            ensure!(inside().any(|field| field.suspicious), "{version}: {path} names no source");
            ensure!(!reason.is_empty(), "{path} is left out for no reason");
            for field in inside().filter(|field| field.text) {
                ensure!(!is_extracted(&schema, field)?, "{version}: {} is extracted", field.path());
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_stored_schema_is_that_of_the_api_server() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let request = Request::get("/openapi/v3/api/v1").body(Vec::new())?;
    let served = Schema::slim(&cluster.client().await?.request(request).await?)?;
    let file = folder().join(format!("v{}.json", served.version()?));
    if let Ok(others) = std::env::var("REFRESH_OPENAPI") {
        fs::write(&file, served.text()?)?;
        refresh(&others)?;
    }
    let remedy = "run `make refresh-openapi` and look at what is new";
    let stored = fs::read_to_string(&file).with_context(|| format!("no {}: {remedy}", file.display()))?;
    ensure!(
        Schema::parse(&stored)? == served,
        "{} is not what the API server serves: {remedy}",
        file.display()
    );
    Ok(())
}

/// Stores the schemas of other minors, given as `1.33=DOCUMENT` with blanks between them. Documents in
/// a source tree do not name their version.
fn refresh(others: &str) -> Result<()> {
    for other in others.split_whitespace() {
        let (version, document) = other.split_once('=').context("write 1.33=DOCUMENT")?;
        let mut document: Value = serde_json::from_str(&fs::read_to_string(document)?)?;
        document["info"]["version"] = json!(version);
        fs::write(folder().join(format!("v{version}.json")), Schema::slim(&document)?.text()?)?;
    }
    Ok(())
}

#[test]
fn every_supported_minor_is_stored() -> Result<()> {
    let mut versions = Vec::new();
    for schema in stored()? {
        versions.push(schema.version()?.to_owned());
    }
    versions.sort();
    ensure!(versions.starts_with(&["1.33", "1.34", "1.35", "1.36"].map(str::to_owned)), "{versions:?}");
    Ok(())
}

fn left_out(field: &Field) -> bool {
    LEFT_OUT.iter().any(|(path, _)| field.is_within(path))
}

/// Whether a pod in which this field is set has a reference that shows it.
fn is_extracted(schema: &Schema, field: &Field) -> Result<bool> {
    let mut spec = schema.spec_with(field, NAME)?;
    if field.is_within("volumes[]") {
        // A volume counts where a container mounts it.
        spec["volumes"][0]["name"] = json!("v");
        spec["containers"] = json!([{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/m"}]}]);
    }
    let path = field.path();
    let spec: PodSpec = serde_json::from_value(spec).with_context(|| format!("cannot set {path}"))?;
    let references = references(&spec, &Default::default());
    let named = references.iter().find(|reference| reference.source.name == NAME);
    if let Some(reference) = named {
        let kind =
            if path.to_lowercase().contains("secret") { SourceKind::Secret } else { SourceKind::ConfigMap };
        ensure!(reference.source.kind == kind, "{path} names no {}", reference.source);
    }
    let by_key = |reference: &Reference| reference.needs.contains(NAME);
    Ok(named.is_some() || references.iter().any(by_key))
}

fn stored() -> Result<Vec<Schema>> {
    let mut schemas = Vec::new();
    for entry in fs::read_dir(folder())? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            schemas.push(Schema::parse(&fs::read_to_string(file)?)?);
        }
    }
    ensure!(!schemas.is_empty(), "no schema is stored: run `make refresh-openapi`");
    Ok(schemas)
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi")
}
