//! Options: what annotations on sources, pods, pod templates, workloads and namespaces ask for.
//!
//! | annotation | on | value |
//! |---|---|---|
//! | `kubectl-reload.dev/ignore` | a source, or a pod, template, workload, namespace | `true`, `false` |
//! | `kubectl-reload.dev/exclude` | a pod, template, workload, namespace | sources, as `configmap/a,secret/b` |
//! | `kubectl-reload.dev/extra` | a pod or template | sources that its processes read through the API |
//! | `kubectl-reload.dev/live` | a pod, template, workload, namespace | `reread`, `restart` |
//!
//! A value that is not allowed is an error, never a silent default; so is an annotation of this
//! project's prefix that does not exist.

use std::collections::BTreeSet;

use crate::annotation::{EXCLUDE, EXTRA, IGNORE, LIVE, PREFIX, RECORD, RESTARTED_FOR};
use crate::source::SourceId;

/// What the annotations of one object ask for, or of several that apply to one pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// No verdict is given.
    pub ignore: Option<bool>,
    /// Sources that do not count.
    pub exclude: BTreeSet<SourceId>,
    /// Sources that the processes read through the API.
    pub extra: BTreeSet<SourceId>,
    /// What the processes do when mounted files change.
    pub live: Option<Live>,
}

/// What carries annotations, and so which of them it may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A ConfigMap or a Secret.
    Source,
    /// A pod or a pod template.
    Pod,
    /// A workload or a namespace.
    Around,
}

/// What a process does when mounted files change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// It reads them again by itself.
    Reread,
    /// It has to be restarted.
    Restart,
}

/// An annotation that is not understood.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("annotation {annotation} of {object}: {problem}")]
pub struct InvalidOption {
    object: String,
    annotation: String,
    problem: String,
}

impl Options {
    /// Reads the options among the annotations of `object`, which errors name as it is given, such
    /// as `deployment/web in namespace shop`.
    ///
    /// # Errors
    /// The first annotation of this project's prefix that is not understood, or has no effect there.
    pub fn parse<'a>(
        carrier: Carrier,
        object: &str,
        annotations: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Result<Self, InvalidOption> {
        let mut options = Self::default();
        for (annotation, value) in annotations {
            if !annotation.starts_with(PREFIX) || [RECORD, RESTARTED_FOR].contains(&annotation.as_str()) {
                continue;
            }
            options.set(carrier, annotation, value).map_err(|problem| InvalidOption {
                object: object.to_owned(),
                annotation: annotation.clone(),
                problem,
            })?;
        }
        Ok(options)
    }

    fn set(&mut self, carrier: Carrier, annotation: &str, value: &str) -> Result<(), String> {
        match annotation {
            EXCLUDE | EXTRA | LIVE if carrier == Carrier::Source => {
                return Err(format!("it has no effect on a ConfigMap or Secret; {IGNORE} has"));
            }
            // The webhook, which records it, sees the pod alone.
            EXTRA if carrier == Carrier::Around => {
                return Err("it has no effect there: put it on the pod template".to_owned());
            }
            IGNORE => {
                self.ignore = Some(match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(format!("{value:?} is neither true nor false")),
                });
            }
            LIVE => {
                self.live = Some(match value {
                    "reread" => Live::Reread,
                    "restart" => Live::Restart,
                    _ => return Err(format!("{value:?} is neither reread nor restart")),
                });
            }
            EXCLUDE => self.exclude = sources(value)?,
            EXTRA => self.extra = sources(value)?,
            _ => {
                let known = [IGNORE, EXCLUDE, EXTRA, LIVE].join(", ");
                return Err(format!("there is no such option; there are {known}"));
            }
        }
        Ok(())
    }

    /// These options, with those of an object around theirs where they say nothing: a template's
    /// within its workload's, a workload's within its namespace's. Lists add up.
    #[must_use]
    pub fn within(mut self, outer: &Self) -> Self {
        self.exclude.extend(outer.exclude.iter().cloned());
        self.extra.extend(outer.extra.iter().cloned());
        Self { ignore: self.ignore.or(outer.ignore), live: self.live.or(outer.live), ..self }
    }
}

/// Sources with commas between them, and blanks around the commas.
fn sources(value: &str) -> Result<BTreeSet<SourceId>, String> {
    let entries = value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(|entry| entry.parse().map_err(|error| format!("{error}"))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn parse(annotations: &[(&str, &str)]) -> Result<Options, String> {
        let annotations: BTreeMap<String, String> =
            annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Options::parse(Carrier::Pod, "pod/web in namespace shop", &annotations)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read_among_other_annotations() {
        let options = parse(&[
            ("example.com/ignore", "whatever"),
            (RECORD, "{}"),
            (IGNORE, "true"),
            (EXCLUDE, "configmap/a, secret/b,"),
            (EXTRA, "cm/c"),
            (LIVE, "reread"),
        ]);
        let expected = Options {
            ignore: Some(true),
            exclude: [SourceId::config_map("a"), SourceId::secret("b")].into(),
            extra: [SourceId::config_map("c")].into(),
            live: Some(Live::Reread),
        };
        assert_eq!(options, Ok(expected));
        assert_eq!(parse(&[]), Ok(Options::default()));
    }

    #[test]
    fn what_is_not_understood_names_the_object_and_what_is_allowed() {
        for (annotation, value, problem) in [
            (IGNORE, "yes", "\"yes\" is neither true nor false"),
            (LIVE, "", "\"\" is neither reread nor restart"),
            (LIVE, "\u{1b}[2J", "\"\\u{1b}[2J\" is neither reread nor restart"),
            (EXCLUDE, "web", "\"web\" names no source: write configmap/NAME or secret/NAME"),
            (EXTRA, "pod/x", "\"pod/x\" names no source: write configmap/NAME or secret/NAME"),
        ] {
            let expected = format!("annotation {annotation} of pod/web in namespace shop: {problem}");
            assert_eq!(parse(&[(annotation, value)]), Err(expected));
        }
        let error = parse(&[("kubectl-reload.dev/ingore", "true")]).unwrap_err();
        assert!(error.contains("there is no such option; there are kubectl-reload.dev/ignore"), "{error}");
    }

    #[test]
    fn an_option_where_it_has_no_effect_is_an_error_that_says_where_it_has() {
        let parse = |carrier, annotation: &str, value: &str| {
            let annotations = BTreeMap::from([(annotation.to_owned(), value.to_owned())]);
            Options::parse(carrier, "it", &annotations).map_err(|error| error.to_string())
        };
        for (annotation, value) in [(EXCLUDE, "cm/a"), (EXTRA, "cm/a"), (LIVE, "reread")] {
            let error = parse(Carrier::Source, annotation, value).unwrap_err();
            assert!(error.ends_with("kubectl-reload.dev/ignore has"), "{error}");
            assert!(parse(Carrier::Pod, annotation, value).is_ok(), "{annotation}");
        }
        let error = parse(Carrier::Around, EXTRA, "cm/a").unwrap_err();
        assert!(error.ends_with("put it on the pod template"), "{error}");
        assert!(parse(Carrier::Around, LIVE, "reread").is_ok());
        assert!(parse(Carrier::Source, IGNORE, "true").is_ok());
    }

    #[test]
    fn the_inner_object_speaks_first_and_lists_add_up() {
        let inner = parse(&[(LIVE, "restart"), (EXCLUDE, "cm/a")]).unwrap();
        let outer = parse(&[(LIVE, "reread"), (IGNORE, "true"), (EXCLUDE, "cm/b")]).unwrap();
        let both = inner.within(&outer);
        assert_eq!((both.live, both.ignore), (Some(Live::Restart), Some(true)));
        assert_eq!(both.exclude.len(), 2);
    }
}
