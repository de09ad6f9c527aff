//! What runs in the background: none of it may end while the server serves.

use tokio::task::JoinSet;

/// Tasks that never end by themselves. They end with this value.
#[derive(Default)]
pub(super) struct Tasks(JoinSet<&'static str>);

impl Tasks {
    /// Runs a task that is called `name` in errors.
    pub(super) fn spawn<T>(&mut self, name: &'static str, task: impl Future<Output = T> + Send + 'static) {
        self.0.spawn(async move {
            // In a task of its own, so that a panic is told with its name.
            let mut own = JoinSet::new();
            own.spawn(async move {
                task.await;
            });
            own.join_next().await;
            name
        });
    }

    /// The error that one of them has ended, be it by a panic.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        match self.0.join_next().await {
            Some(Ok(name)) => anyhow::anyhow!("{name} has ended: the process ends, to be started anew"),
            _ => anyhow::anyhow!("nothing runs any more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_told_by_its_name() {
        let mut tasks = Tasks::default();
        tasks.spawn("the idle one", std::future::pending::<()>());
        tasks.spawn("the faulty one", async { panic!("scripted") });
        assert!(tasks.ended().await.to_string().starts_with("the faulty one has ended"));
        tasks.spawn("the short one", async {});
        assert!(tasks.ended().await.to_string().starts_with("the short one has ended"));
    }
}
