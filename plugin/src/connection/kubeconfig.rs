//! Kubeconfig files, found and merged as kubectl does it.

use std::fmt;
use std::path::{Path, PathBuf};

use kube::config::{Context, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedCluster, NamedContext};

/// Files that may say which clusters there are; the first that says something counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Files {
    paths: Vec<PathBuf>,
    /// Whether a file may be missing.
    optional: bool,
}

impl Files {
    /// The file of `--kubeconfig`, else those of `$KUBECONFIG`, else the one in the home.
    pub(super) fn of(flag: Option<&Path>) -> Self {
        Self::choose(flag, std::env::var_os("KUBECONFIG"), std::env::home_dir())
    }

    fn choose(flag: Option<&Path>, list: Option<std::ffi::OsString>, home: Option<PathBuf>) -> Self {
        if let Some(path) = flag {
            return Self { paths: vec![path.to_owned()], optional: false };
        }
        let list = list.unwrap_or_default();
        let mut paths: Vec<PathBuf> =
            std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
        if paths.is_empty() {
            paths.extend(home.map(|home| home.join(".kube/config")));
        }
        Self { paths, optional: true }
    }

    /// All of them, merged: what an earlier one says stands. Of several, those that do not exist
    /// are left out; no file at all is an empty one.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub(crate) fn read(&self) -> Result<Kubeconfig, FileError> {
        let there = self.paths.iter().filter(|path| !self.optional || path.exists());
        there.into_iter().try_fold(Kubeconfig::default(), |merged, path| {
            let read = Kubeconfig::read_from(path).and_then(|file| merged.merge(file));
            read.map_err(|error| FileError { path: path.clone(), cause: cause(&error) })
        })
    }
}

/// A file that is of no use.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {cause}", path = .path.display())]
pub(crate) struct FileError {
    path: PathBuf,
    cause: String,
}

/// What is wrong with a kubeconfig. The client's own text quotes the lines around a fault, which may hold
/// credentials, and so may the parser's words for what it met.
pub(super) fn cause(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("no kubeconfig: see line {}, column {}", at.line(), at.column()),
            None => "no kubeconfig".to_owned(),
        },
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        other => other.to_string(),
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.paths.is_empty() {
            return f.write_str("~/.kube/config");
        }
        for (position, path) in self.paths.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{}", path.display())?;
        }
        Ok(())
    }
}

/// Adds what flags say where the files say nothing of it: a cluster and a user without a context,
/// a server without a cluster.
pub(super) fn complete(
    mut kubeconfig: Kubeconfig,
    options: &KubeConfigOptions,
    server: Option<&http::Uri>,
) -> Kubeconfig {
    let current = kubeconfig.current_context.as_ref().is_some_and(|context| !context.is_empty());
    if options.context.is_some() || current || (options.cluster.is_none() && server.is_none()) {
        return kubeconfig;
    }
    let cluster = options.cluster.clone().unwrap_or_default();
    if let (None, Some(server)) = (&options.cluster, server) {
        let cluster = kube::config::Cluster { server: Some(server.to_string()), ..Default::default() };
        kubeconfig.clusters.push(NamedCluster {
            name: String::new(),
            cluster: Some(cluster),
            ..Default::default()
        });
    }
    let context = Context { cluster, user: options.user.clone(), ..Default::default() };
    kubeconfig.contexts.push(NamedContext {
        name: String::new(),
        context: Some(context),
        ..Default::default()
    });
    kubeconfig.current_context = Some(String::new());
    kubeconfig
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_stands_before_the_variable_and_this_before_the_home() {
        let choose = |flag: Option<&str>, list: Option<&str>| {
            Files::choose(flag.map(Path::new), list.map(Into::into), Some("/home/me".into())).to_string()
        };
        assert_eq!(choose(Some("/a"), Some("/b:/c")), "/a");
        assert_eq!(choose(None, Some("/b::/c")), "/b, /c");
        assert_eq!(choose(None, Some("")), "/home/me/.kube/config");
        assert_eq!(choose(None, None), "/home/me/.kube/config");
    }

    #[test]
    fn an_error_tells_where_a_file_is_wrong_and_quotes_none_of_it() {
        let path = std::env::temp_dir().join(format!("kubectl-reload-kubeconfig-{}", std::process::id()));
        for text in [
            "users:\n- name: a\n  user:\n    token: sesame\n    token: sesame\n",
            "users:\n- name: a\n  user:\n    token: sesame\n  bad: [\n",
            "users: sesame\n",
            "users:\n- name: a\n  user: {token: [sesame]}\n",
            "a: &b sesame\nc: *sesame\n",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Files::choose(Some(&path), None, None).read().unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("line ") && shown.contains("kubectl-reload-kubeconfig"), "{shown}");
            assert!(!shown.contains("sesame"), "{text}: {shown}");
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn missing_files_of_a_list_are_left_out_and_a_named_one_is_an_error() {
        let gone = "/no/such/file";
        assert!(Files::choose(None, Some(gone.into()), None).read().unwrap().contexts.is_empty());
        assert!(Files::choose(Some(Path::new(gone)), None, None).read().is_err());
    }
}
