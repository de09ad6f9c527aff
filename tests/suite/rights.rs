//! Least rights: the webhook does all that it does under exactly the account and the rights that the
//! chart gives it, and the chart gives it no right that it does not use.

#[path = "rights/grant.rs"]
mod grant;
#[path = "rights/installation.rs"]
mod installation;

use anyhow::{Result, ensure};
use reload_tests::with_namespace;
use serde_json::json;

use grant::{grants, requests, unused};
use installation::{Installation, cluster};

#[tokio::test]
async fn everything_works_with_the_rights_of_the_chart_and_each_of_them_is_used() -> Result<()> {
    with_namespace(cluster().await?, "shop", async |ns| {
        let installation = Installation::start("default-rights", &[&ns], &[]).await?;
        assert_eq!(installation.records(&ns).await?, ["settings env", "login env"]);
        installation.uses_its_flow_schema().await?;
        for (allowed, verb, what) in [
            (true, "get", "secrets"),
            (false, "list", "secrets"),
            (false, "watch", "configmaps"),
            (false, "create", "secrets"),
        ] {
            assert_eq!(installation.may(verb, what, ns.name()).await?, allowed, "{verb} {what}");
        }
        installation.uses_all_that_it_may().await
    })
    .await
}

#[tokio::test]
async fn without_secrets_it_has_no_right_on_them_and_records_the_rest() -> Result<()> {
    with_namespace(cluster().await?, "plain", async |ns| {
        let installation = Installation::start("no-secrets", &[&ns], &["secrets=false"]).await?;
        assert_eq!(installation.records(&ns).await?, ["settings env", "login forbidden"]);
        for verb in ["get", "list", "create"] {
            ensure!(!installation.may(verb, "secrets", ns.name()).await?, "it may {verb} secrets");
        }
        installation.uses_all_that_it_may().await
    })
    .await
}

#[tokio::test]
async fn for_listed_namespaces_it_has_rights_in_these_alone() -> Result<()> {
    with_namespace(cluster().await?, "one", async |one| {
        with_namespace(cluster().await?, "two", async |two| {
            let installation =
                Installation::start("listed", &[&one, &two], &["namespaces={one,two}"]).await?;
            for ns in [&one, &two] {
                assert_eq!(installation.records(ns).await?, ["settings env", "login env"]);
            }
            ensure!(!installation.may("get", "configmaps", "default").await?, "it may read elsewhere");
            installation.uses_all_that_it_may().await
        })
        .await
    })
    .await
}

#[tokio::test]
async fn with_certificates_of_others_it_has_no_right_on_them_nor_on_its_registration() -> Result<()> {
    with_namespace(cluster().await?, "files", async |ns| {
        let values = ["certificates.source=certManager"];
        let installation = Installation::start("cert-manager", &[&ns], &values).await?;
        assert_eq!(installation.records(&ns).await?, ["settings env", "login env"]);
        for (verb, what) in [
            ("get", "mutatingwebhookconfigurations/zz-kubectl-reload"),
            ("patch", "mutatingwebhookconfigurations/zz-kubectl-reload"),
            ("update", "secrets/kubectl-reload-certificates"),
            ("update", "secrets/kubectl-reload-tls"),
        ] {
            ensure!(!installation.may(verb, what, "cert-manager").await?, "it may {verb} {what}");
        }
        installation.uses_all_that_it_may().await
    })
    .await
}

#[tokio::test]
async fn what_it_makes_goes_with_its_account() -> Result<()> {
    with_namespace(cluster().await?, "going", async |ns| {
        Installation::start("owned", &[&ns], &[]).await?.goes_with_its_account().await
    })
    .await
}

#[tokio::test]
async fn the_doctor_of_helm_test_needs_the_rights_that_it_has() -> Result<()> {
    with_namespace(cluster().await?, "patient", async |ns| {
        let installation = Installation::start("examined", &[&ns], &[]).await?;
        let (output, unused) = installation.doctor().await?;
        let output = output.success()?;
        for text in ["zz-kubectl-reload", "none is left out", "may not get secrets"] {
            ensure!(output.stdout.contains(text), "{text:?} is not in {output}");
        }
        // The one is only asked after; for the other there has to be a Service, as in `node_install`.
        assert_eq!(unused, ["get pods", "get services/proxy"], "{output}");
        Ok(())
    })
    .await
}

#[test]
fn a_right_that_nothing_uses_is_told() -> Result<()> {
    let role = |verbs: &[&str], names: &[&str]| {
        json!({"kind": "Role", "metadata": {"name": "r", "namespace": "home"}, "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "verbs": verbs, "resourceNames": names},
        ]})
    };
    let everywhere = json!({"kind": "ClusterRole", "metadata": {"name": "c"}, "rules": [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    ]});
    let folder = std::env::temp_dir().join(format!("kubectl-reload-audit-{}", std::process::id()));
    let event = json!({"user": {"username": "it"}, "verb": "get", "requestURI": "/",
        "objectRef": {"resource": "secrets", "namespace": "home", "name": "a"}});
    std::fs::write(&folder, format!("{event}\n{{\"half"))?;
    let seen = requests(&folder, "it")?;
    std::fs::remove_file(&folder)?;
    for (manifest, expected) in [
        (role(&["get"], &["a"]), 0),
        (role(&["get", "update"], &["a"]), 1),
        (role(&["get"], &["a", "b"]), 1),
        (role(&["*"], &["a"]), 1),
        (everywhere, 1),
    ] {
        let left = unused(&grants(std::slice::from_ref(&manifest))?, &seen, "home");
        assert_eq!(left.len(), expected, "{manifest}: {left:?}");
    }
    Ok(())
}
