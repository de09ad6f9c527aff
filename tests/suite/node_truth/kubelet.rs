//! A kubelet that was down for a while.

use super::place::ENV_LAG;
use super::scenario::{Runs, Scenario, scenario};

/// These stop the kubelet of the node: one at a time.
pub(crate) fn scenarios() -> Vec<Scenario> {
    use Runs::{Current, Old};
    vec![
        scenario(
            "kubelet down, changed meanwhile",
            Old,
            "Drifted recorded configmap changed: ~colour",
            |p| {
                Box::pin(async {
                    p.start(p.env()).await?;
                    p.stop_kubelet().await?;
                    p.paint("blue").await?;
                    p.start_kubelet().await?;
                    p.runs().await
                })
            },
        ),
        scenario("kubelet down, changed meanwhile, restarted", Current, "Current inferred", |p| {
            Box::pin(async {
                p.start(p.env()).await?;
                p.stop_kubelet().await?;
                p.paint("blue").await?;
                p.passed(ENV_LAG).await?;
                p.start_kubelet().await?;
                p.crash().await
            })
        }),
        scenario("kubelet down, made and changed meanwhile", Current, "Current inferred", |p| {
            Box::pin(async {
                p.put(p.painted("red")).await?;
                p.stop_kubelet().await?;
                p.begin(p.env()).await?;
                p.has_a_pod().await?;
                p.paint("blue").await?;
                p.passed(ENV_LAG).await?;
                p.start_kubelet().await?;
                p.runs().await
            })
        }),
    ]
}
