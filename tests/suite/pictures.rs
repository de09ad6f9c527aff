//! The pictures of the documentation show what is there to be seen.

use anyhow::{Result, ensure};

#[tokio::test]
async fn the_pictures_show_what_the_plugin_and_the_dashboard_show_now() -> Result<()> {
    // It plays the demo's story on a cluster of its own, as `make pictures` does.
    let mut check = tokio::process::Command::new(env!("CARGO_BIN_EXE_pictures"));
    let output = check.arg("check").kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
