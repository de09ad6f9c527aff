use super::*;

fn text(namespace: &str, values: &str) -> String {
    let objects = render(namespace, &Values::parse(values).unwrap()).unwrap();
    objects.iter().map(|object| object.json.to_string() + "\n").collect()
}

#[test]
fn the_manifest_is_of_this_version_and_leaves_the_bundle_to_the_webhook() {
    let objects = render("kubectl-reload", &Values::default()).unwrap();
    assert_eq!(objects.len(), 14);
    for object in &objects {
        assert_eq!(
            object.label("app.kubernetes.io/version"),
            Some(env!("CARGO_PKG_VERSION")),
            "{}",
            object.id
        );
        assert_eq!(object.label("app.kubernetes.io/name"), Some("kubectl-reload"), "{}", object.id);
    }
    assert!(!text("kubectl-reload", "").contains("caBundle"));
}

/// That each is what Helm makes of it, tests/suite/install.rs proves.
#[test]
fn each_value_changes_what_is_rendered_and_its_default_does_not() {
    let digest = format!("image.digest=sha256:{}", "a".repeat(64));
    for (value, default) in [
        ("image.repository=mirror:5000/webhook", "image.tag="),
        ("image.tag=next", "image.digest="),
        (digest.as_str(), "image.tag=0.1.0"),
        ("image.pullPolicy=Never", "image.pullPolicy=IfNotPresent"),
        ("imagePullSecrets[0].name=registry", "imagePullSecrets[0].name="),
        ("replicas=3", "replicas=2"),
        ("secrets=false", "secrets=true"),
        ("secretKeyNames=false", "secretKeyNames=true"),
        ("webhook.failurePolicy=Fail", "webhook.failurePolicy=Ignore"),
        ("webhook.timeoutSeconds=3", "webhook.timeoutSeconds=2"),
        ("webhook.deadline=1s", "webhook.deadline=1500ms"),
        ("port=10250", "port=8443"),
        ("hostNetwork=true", "hostNetwork=false"),
        ("flowControl.enabled=false", "flowControl.enabled=true"),
        ("priorityClassName=system-cluster-critical", "priorityClassName="),
        ("podSecurityContext.runAsUser=null", "podSecurityContext.runAsUser=65532"),
        ("podSecurityContext.runAsGroup=1000", "podSecurityContext.runAsGroup=65532"),
        ("log.format=plain", "log.format=json"),
        ("log.level=debug", "log.level=info"),
    ] {
        assert_ne!(text("kubectl-reload", value), text("kubectl-reload", ""), "{value}");
        assert_eq!(text("kubectl-reload", default), text("kubectl-reload", ""), "{default}");
    }
}

#[test]
fn another_namespace_is_everywhere_and_names_stay() {
    let rendered = text("tools", "");
    assert!(rendered.contains("\"--namespace=tools\"") && rendered.contains("kubectl-reload.tools.svc"));
    assert_eq!(rendered.matches("\"namespace\":\"kubectl-reload\"").count(), 0, "{rendered}");
    assert!(rendered.contains("[\"tools\",\"kube-system\"]"));
    assert_eq!(
        text("kubectl-reload", ""),
        rendered
            .replace("\"tools\"", "\"kubectl-reload\"")
            .replace("--namespace=tools", "--namespace=kubectl-reload")
            .replace(".tools.svc", ".kubectl-reload.svc")
    );
}

#[test]
fn what_was_set_is_noted_on_the_deployment() {
    let values = Values::parse("replicas=3").unwrap();
    let objects = noted(render("here", &values).unwrap(), &values);
    let noted: Vec<_> = objects.iter().filter_map(|object| object.annotation(SET)).collect();
    assert_eq!(noted, ["replicas=3"]);
    let plain = super::noted(render("here", &Values::default()).unwrap(), &Values::default());
    assert!(plain.iter().all(|object| object.annotation(SET).is_none()));
}

#[test]
fn manifests_are_printed_as_kubectl_reads_them() {
    let objects = render("tools", &Values::default()).unwrap();
    let yaml = printed(Form::Yaml, &objects).unwrap();
    let read: Vec<serde_json::Value> = serde_saphyr::from_multiple(&yaml).unwrap();
    assert_eq!(read, objects.iter().map(|object| object.json.clone()).collect::<Vec<_>>());
    assert!(printed(Form::Json, &objects).unwrap().contains("\"kind\": \"List\""));
}
