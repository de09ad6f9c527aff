//! A file that holds the answer, whole at any time.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// Puts a file with this text into its place, by way of one beside it: `.NAME.PROCESS.tmp`.
///
/// # Errors
/// When it cannot be written. What was there before is there still.
pub(super) fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
    let beside = path.with_file_name(format!(".{}.{}.tmp", name.display(), std::process::id()));
    let replaced = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    replaced
        .inspect_err(|_| {
            // The first error says more.
            let _ = fs::remove_file(&beside);
        })
        .with_context(|| format!("cannot write {}: its folder has to be there and writable", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = std::env::temp_dir().join(format!("kubectl-reload-file-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("kubectl-reload.prom");
        for text in ["first\n", "second\n"] {
            replace(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        let error = format!("{:#}", replace(&folder.join("none/x.prom"), "").unwrap_err());
        assert!(error.contains("none/x.prom: its folder has to be there"), "{error}");
        replace(&folder, "").unwrap_err();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
        assert!(replace(Path::new("/"), "").is_err());
    }
}
