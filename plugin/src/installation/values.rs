//! What can be set: a few of the chart's values, by the chart's names.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use reload_core::source::SourceId;
use serde_json::Value;

/// What a value may be.
enum Form {
    /// A text for which this holds, and how to write it.
    Text(fn(&str) -> bool, &'static str),
    Number(RangeInclusive<i64>),
    Boolean,
    Choice(&'static [&'static str]),
    /// A user or a group, or `null` for whatever the cluster chooses.
    Account,
}

/// Each value that can be set.
const FORMS: [(&str, Form); 19] = [
    ("image.repository", Form::Text(is_repository, "a repository without tag")),
    ("image.tag", Form::Text(is_tag, "a tag")),
    ("image.digest", Form::Text(is_digest, "sha256: and 64 hexadecimal digits")),
    ("image.pullPolicy", Form::Choice(&["Always", "IfNotPresent", "Never"])),
    ("imagePullSecrets[0].name", Form::Text(is_name, "the name of a Secret")),
    ("replicas", Form::Number(1..=20)),
    ("secrets", Form::Boolean),
    ("secretKeyNames", Form::Boolean),
    ("webhook.failurePolicy", Form::Choice(&["Ignore", "Fail"])),
    ("webhook.timeoutSeconds", Form::Number(1..=30)),
    ("webhook.deadline", Form::Text(|text| milliseconds(text).is_some(), "a time as 1500ms or 1s")),
    ("port", Form::Number(1024..=65535)),
    ("hostNetwork", Form::Boolean),
    ("flowControl.enabled", Form::Boolean),
    ("priorityClassName", Form::Text(is_name, "the name of a PriorityClass")),
    ("podSecurityContext.runAsUser", Form::Account),
    ("podSecurityContext.runAsGroup", Form::Account),
    ("log.format", Form::Choice(&["plain", "json"])),
    ("log.level", Form::Choice(&["error", "warn", "info", "debug"])),
];

/// One value that is set, as `--set` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    name: &'static str,
    value: Value,
}

/// Why a text sets nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("write NAME=VALUE, with a name of: {}", names())]
    NoName,
    #[error("{name} cannot be set here, but: {names}. The Helm chart has more", names = names())]
    Unknown { name: String },
    #[error("{name} has to be {wanted}")]
    Form { name: &'static str, wanted: String },
    #[error(
        "webhook.deadline: {deadline} is not shorter than webhook.timeoutSeconds, {timeout} s: the API server would not wait for the answer"
    )]
    Deadline { deadline: String, timeout: i64 },
    #[error("port: on the network of a node 10250 is the kubelet's: choose another for hostNetwork")]
    Port,
}

/// What `--set` is for.
pub(crate) fn help() -> String {
    format!(
        "A value to set, by the Helm chart's name; may be given more than once. What was set before is kept. \
         One of: {}",
        names()
    )
}

fn names() -> String {
    FORMS.map(|(name, _)| name).join(", ")
}

impl FromStr for Assignment {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (name, value) = text.split_once('=').ok_or(ValueError::NoName)?;
        let found = FORMS.iter().find(|(known, _)| *known == name);
        let (name, form) = found.ok_or_else(|| ValueError::Unknown { name: name.to_owned() })?;
        let value = form.parse(value).ok_or_else(|| ValueError::Form { name, wanted: form.to_string() })?;
        Ok(Self { name, value })
    }
}

impl Form {
    fn parse(&self, text: &str) -> Option<Value> {
        match self {
            Self::Text(holds, _) => holds(text).then(|| text.into()),
            Self::Number(range) => text.parse().ok().filter(|number| range.contains(number)).map(Value::from),
            Self::Boolean => text.parse::<bool>().ok().map(Value::from),
            Self::Choice(choices) => choices.contains(&text).then(|| text.into()),
            Self::Account if text == "null" => Some(Value::Null),
            Self::Account => text.parse::<u32>().ok().map(Value::from),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_, wanted) => f.write_str(wanted),
            Self::Number(range) => write!(f, "a whole number from {} to {}", range.start(), range.end()),
            Self::Boolean => f.write_str("true or false"),
            Self::Choice(choices) => write!(f, "one of {}", choices.join(", ")),
            Self::Account => f.write_str("a number, or null"),
        }
    }
}

/// All that is set; what is not is as the manifest has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values(BTreeMap<&'static str, Value>);

impl Values {
    /// Of what is set, the last of a name counts.
    pub(crate) fn of(assignments: &[Assignment]) -> Self {
        Self(assignments.iter().map(|set| (set.name, set.value.clone())).collect())
    }

    /// As [`fmt::Display`] writes them.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueError> {
        let assignments = text.split(',').filter(|text| !text.is_empty()).map(str::parse);
        Ok(Self::of(&assignments.collect::<Result<Vec<Assignment>, _>>()?))
    }

    /// These, but for what is set anew.
    pub(crate) fn with(mut self, newer: &Self) -> Self {
        self.0.extend(newer.0.clone());
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text that is set and not empty, since an empty one stands for none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn is(&self, name: &str, value: bool) -> bool {
        self.get(name) == Some(&Value::Bool(value))
    }

    /// Whether they go together, by the chart's rules; these are what holds where nothing is set.
    pub(crate) fn check(&self, deadline: &str, timeout: i64) -> Result<(), ValueError> {
        let deadline = self.text("webhook.deadline").unwrap_or(deadline);
        let timeout = self.get("webhook.timeoutSeconds").and_then(Value::as_i64).unwrap_or(timeout);
        if milliseconds(deadline).is_none_or(|deadline| deadline >= timeout * 1000) {
            return Err(ValueError::Deadline { deadline: deadline.to_owned(), timeout });
        }
        if self.is("hostNetwork", true) && self.get("port").and_then(Value::as_i64) == Some(10250) {
            return Err(ValueError::Port);
        }
        Ok(())
    }
}

/// `port=10250,replicas=3`
impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, value)) in self.0.iter().enumerate() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            write!(f, "{}{name}={value}", if position > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// A tag has a value of its own.
fn is_repository(text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or_default();
    !last.is_empty()
        && !last.contains(':')
        && !text.contains(|c: char| c.is_whitespace() || c == '@' || c == ',')
}

fn is_tag(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.len() <= 128 && text.chars().all(inner) && !text.starts_with(['.', '-'])
}

fn is_digest(text: &str) -> bool {
    let hex = |text: &str| text.len() == 64 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    text.is_empty() || text.strip_prefix("sha256:").is_some_and(hex)
}

/// A name that an object can have, or none.
fn is_name(text: &str) -> bool {
    text.is_empty() || SourceId::secret(text).is_valid()
}

/// `1500ms`, `1s`.
fn milliseconds(text: &str) -> Option<i64> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    let shaped = (1..=5).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| shaped && !digits.starts_with('0'))?;
    Some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read_back_from_what_is_written_down() {
        let text = "image.digest=,log.level=debug,podSecurityContext.runAsUser=null,replicas=3,secrets=false";
        assert_eq!(Values::parse(text).unwrap().to_string(), text);
        assert!(Values::parse("").unwrap().is_empty());
        let newer = Values::parse("replicas=1,port=10250").unwrap();
        let both = Values::parse("replicas=3,secrets=false").unwrap().with(&newer);
        assert_eq!(both.to_string(), "port=10250,replicas=1,secrets=false");
    }

    #[test]
    fn what_cannot_be_set_is_refused_with_what_can() {
        for (text, expected) in [
            ("replicas", "NAME=VALUE"),
            ("replica=3", "replica cannot be set here, but: image.repository, image.tag"),
            ("replicas=0", "replicas has to be a whole number from 1 to 20"),
            ("replicas=two", "a whole number"),
            ("secrets=maybe", "true or false"),
            ("webhook.failurePolicy=Maybe", "one of Ignore, Fail"),
            ("webhook.deadline=soon", "1500ms or 1s"),
            ("webhook.deadline=0s", "1500ms or 1s"),
            ("image.repository=", "a repository"),
            ("image.repository=a@sha256:b", "a repository"),
            ("image.repository=mirror/webhook:1.0", "a repository"),
            ("image.tag=-x", "a tag"),
            ("image.digest=latest", "64 hexadecimal digits"),
            ("port=443", "from 1024 to 65535"),
            ("priorityClassName=A B", "the name of a PriorityClass"),
            ("podSecurityContext.runAsUser=nobody", "a number, or null"),
        ] {
            let error = text.parse::<Assignment>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn values_that_do_not_go_together_are_refused() {
        for (text, fine) in [
            ("webhook.timeoutSeconds=1", false),
            ("webhook.timeoutSeconds=1,webhook.deadline=900ms", true),
            ("webhook.deadline=2s", false),
            ("hostNetwork=true,port=10250", false),
            ("port=10250", true),
        ] {
            assert_eq!(Values::parse(text).unwrap().check("1500ms", 2).is_ok(), fine, "{text}");
        }
    }
}
