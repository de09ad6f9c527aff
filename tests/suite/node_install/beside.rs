//! Beside a sidecar injector, that is called before ours or after it.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use reload_core::record::SourceRecord;
use reload_core::source::SourceId;
use reload_tests::load::pod;
use reload_tests::manifest::config_map;
use reload_tests::webhook::record;
use reload_tests::{Injector, with_namespace};

use super::{installed, recording};

#[tokio::test]
#[cfg_attr(not(real_node), ignore = "a real node needs root on Linux, with CAP_SYS_ADMIN, and apt")]
async fn what_another_webhook_adds_is_recorded() -> Result<()> {
    let (node, _one) = installed().await?;
    with_namespace(node.cluster(), "beside", async |ns| {
        ns.apply([config_map("sidecar", &[("mesh", "on")])]).await?;
        recording(&ns).await?;
        for registration in ["aa-injector", "zzz-injector"] {
            let injector = Injector::start(&ns, registration, "sidecar").await?;
            let dry_run = PostParams { dry_run: true, field_manager: None };
            let made = ns.api::<Pod>().create(&dry_run, &pod("beside-")?).await?;
            let containers = made.spec.as_ref().map_or(0, |spec| spec.containers.len());
            ensure!(containers == 2, "{registration} was not called");
            let record = record(&made)?;
            let read = record.sources.get(&SourceId::config_map("sidecar"));
            ensure!(matches!(read, Some(SourceRecord::Read(_))), "{registration}: {:?}", record.sources);
            injector.uninstall().await?;
        }
        Ok(())
    })
    .await
}
