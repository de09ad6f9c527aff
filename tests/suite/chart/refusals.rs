//! Values that make no sense.

use anyhow::{Result, ensure};
use reload_tests::Helm;
use reload_tests::helm::{RELEASE, chart};

#[tokio::test]
async fn values_that_make_no_sense_are_refused_with_what_to_write() -> Result<()> {
    let helm = Helm::without_cluster().await?;
    let chart = chart().display().to_string();
    for (values, expected) in [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("webhook.timeout=3", "at '/webhook': additional properties 'timeout' not allowed"),
        ("replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("secrets=maybe", "at '/secrets': got string, want boolean"),
        ("namespaces=shop", "at '/namespaces': got string, want array"),
        ("namespaces={Shop}", "'Shop' does not match pattern"),
        ("namespaces={kube-system}", "at '/namespaces/0'"),
        ("namespaces={kubectl-reload}", "where the webhook itself is installed"),
        ("ignore={pod/x}", "'pod/x' does not match pattern"),
        ("log.level=loud", "value must be one of 'error', 'warn', 'info', 'debug'"),
        ("image.digest=latest", "'latest' does not match pattern"),
        ("image.repository=", "at '/image/repository'"),
        ("fullnameOverride=a_b", "'a_b' does not match pattern"),
        ("labels.app\\.kubernetes\\.io/name=x", "invalid propertyName 'app.kubernetes.io/name'"),
        ("webhook.failurePolicy=Maybe", "value must be one of 'Ignore', 'Fail'"),
        ("webhook.timeoutSeconds=31", "at '/webhook/timeoutSeconds': maximum: got 31, want 30"),
        ("webhook.deadline=soon", "at '/webhook/deadline': 'soon' does not match pattern"),
        ("webhook.deadline=2s", "2s is not shorter than webhook.timeoutSeconds, 2 s"),
        ("webhook.deadline=2000ms", "2000ms is not shorter than webhook.timeoutSeconds, 2 s"),
        ("webhook.timeoutSeconds=1", "1500ms is not shorter than webhook.timeoutSeconds, 1 s"),
        ("webhook.namespaceSelector.labels.a=b", "additional properties 'labels' not allowed"),
        ("limits.reads=0", "at '/limits/reads': minimum: got 0, want 1"),
        ("port=443", "at '/port': minimum: got 443, want 1,024"),
        ("hostNetwork=true,port=10250", "10250 is the kubelet's"),
        (
            "hostNetwork=true,networkPolicy.enabled=true",
            "it does not hold for pods on the network of their node",
        ),
        ("certificates.source=vault", "value must be one of 'own', 'certManager', 'secret'"),
        ("certificates.source=secret", "certificates.secret.name: name the Secret"),
        (
            "certificates.source=secret,certificates.secret.name=tls",
            "certificates.secret.caBundle: give the CAs",
        ),
        ("certificates.own.life=year", "'year' does not match pattern"),
        ("certificates.own.caLife=720h", "8760h is longer than certificates.own.caLife, 720h"),
        (
            "certificates.own.caOverlap=20000h",
            "20000h is more than a sixth of certificates.own.caLife, 87600h",
        ),
        (
            "certificates.certManager.renewBefore=2160h",
            "2160h is not shorter than certificates.certManager.duration, 2160h",
        ),
        ("image.repository=mirror/webhook:1.0", "'mirror/webhook:1.0' does not match pattern"),
        (
            "certificates.certManager.issuerRef.kind=ClusterIssuer",
            "properties 'name' required, if 'kind' exists",
        ),
        ("networkPolicy.from[0].ipBlock.cidr=everyone", "'everyone' does not match pattern"),
        ("podDisruptionBudget.maxUnavailable=some", "'some' does not match pattern"),
        ("serviceMonitor.enabled=true,podMonitor.enabled=true", "Prometheus would scrape each pod twice"),
        ("webhook=null", "missing property 'webhook'"),
    ] {
        let output = helm.output(&["template", RELEASE, &chart, "-n", RELEASE, "--set", values]).await?;
        ensure!(
            output.code != 0 && output.stderr.contains(expected),
            "{values}: {expected:?} is not in {output}"
        );
    }
    Ok(())
}
