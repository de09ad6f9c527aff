//! Manifests: the objects of files in JSON or YAML, as `kubectl get` writes and `kubectl apply` takes
//! them. Nothing of their content is ever quoted.

mod document;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use document::Document;

/// All files of a command together are no larger.
const LIMIT: usize = 100 << 20;

/// One object of a file.
pub(crate) struct Manifest {
    /// The file, as it was named.
    pub(crate) file: Arc<str>,
    /// Objects of one list have the same number, which no other has.
    pub(crate) document: usize,
    pub(crate) object: Object,
}

/// An object, and what of it says which one it is; what is not there or no text is `None`.
pub(crate) struct Object {
    pub(crate) api_version: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    /// The whole of it.
    pub(crate) json: Zeroizing<String>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("cannot read {file}: {error}")]
    File { file: Arc<str>, error: io::Error },
    #[error(
        "{file} makes more than {} MB: name fewer kinds or namespaces to kubectl get",
        LIMIT >> 20
    )]
    TooLarge { file: Arc<str> },
    #[error(
        "{file} is no UTF-8 text: where PowerShell wrote it, write it again through: Out-File -Encoding utf8"
    )]
    NotText { file: Arc<str> },
    #[error(
        "{file} holds something else than Kubernetes objects in JSON or YAML, or repeats too much by aliases: see line {line}, column {column}"
    )]
    Malformed { file: Arc<str>, line: u64, column: u64 },
    #[error("{file} holds no object")]
    Empty { file: Arc<str> },
}

/// Reads files, of which `-` is standard input.
///
/// # Errors
/// When one cannot be read, is too large, or is something else.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Manifest>, ReadError> {
    let (mut manifests, mut left) = (Vec::new(), LIMIT);
    for path in paths {
        let file: Arc<str> = match path.as_os_str() == "-" {
            true => "standard input".into(),
            false => path.display().to_string().into(),
        };
        let text = read_text(path, &file, left)?;
        left -= text.len();
        let before = manifests.len();
        parse(&text, &file, &mut manifests)?;
        if manifests.len() == before {
            return Err(ReadError::Empty { file });
        }
    }
    Ok(manifests)
}

fn read_text(path: &Path, file: &Arc<str>, limit: usize) -> Result<Zeroizing<String>, ReadError> {
    let failed = |error| ReadError::File { file: file.clone(), error };
    let mut bytes = Zeroizing::new(Vec::new());
    let most = limit as u64 + 1;
    match path.as_os_str() == "-" {
        true => io::stdin().lock().take(most).read_to_end(&mut bytes),
        false => File::open(path).and_then(|opened| opened.take(most).read_to_end(&mut bytes)),
    }
    .map_err(failed)?;
    if bytes.len() > limit {
        return Err(ReadError::TooLarge { file: file.clone() });
    }
    let text = str::from_utf8(&bytes).map_err(|_| ReadError::NotText { file: file.clone() })?;
    Ok(Zeroizing::new(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()))
}

/// Adds the objects of a text: JSON, one after the other, or YAML documents; lists are unfolded.
fn parse(text: &str, file: &Arc<str>, manifests: &mut Vec<Manifest>) -> Result<(), ReadError> {
    let mut rest = text;
    let mut add = |document: Document| {
        let number = manifests.len();
        let manifest = |object| Manifest { file: file.clone(), document: number, object };
        manifests.extend(document.objects().into_iter().map(manifest));
    };
    let malformed = |rest: &str, line: u64, column: u64| {
        let before = text[..text.len() - rest.len()].matches('\n').count() as u64;
        ReadError::Malformed { file: file.clone(), line: before + line, column }
    };
    while let Some(json) = json(rest) {
        let mut documents = serde_json::Deserializer::from_str(json).into_iter::<Document>();
        let document = documents.next().transpose();
        let document =
            document.map_err(|error| malformed(json, error.line() as u64, error.column() as u64))?;
        document.into_iter().for_each(&mut add);
        rest = &json[documents.byte_offset()..];
    }
    let documents = serde_saphyr::from_multiple_with_options::<Document>(rest, document::options(LIMIT));
    let documents = documents.map_err(|error| {
        let location = error.location();
        let (line, column) = location.map_or((1, 1), |location| (location.line(), location.column()));
        malformed(rest, line, column)
    })?;
    documents.into_iter().for_each(add);
    Ok(())
}

/// The text from the next object on, where that is JSON. Objects may be separated as those of YAML.
fn json(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let text = text.strip_prefix("---").map_or(text, str::trim_start);
    text.starts_with('{').then_some(text)
}

impl Object {
    fn new(value: &Value) -> Self {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: text("/metadata/namespace").filter(|namespace| !namespace.is_empty()),
            name: text("/metadata/name").filter(|name| !name.is_empty()),
            json: Zeroizing::new(value.to_string()),
        }
    }
}

/// The objects of a text.
#[cfg(test)]
pub(crate) fn of_tests(text: &str) -> Vec<Manifest> {
    let mut manifests = Vec::new();
    parse(text, &"file".into(), &mut manifests).unwrap();
    manifests
}

#[cfg(test)]
mod tests;
