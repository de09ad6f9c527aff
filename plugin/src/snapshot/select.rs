//! Selectors, as requests hold them: of labels, and of the fields that surveys ask for.

use std::collections::BTreeSet;

use kube::core::{Expression, Selector, SelectorExt};

use super::held::Held;

/// A text that is no selector, or one of a field that is not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid(pub(super) String);

/// Takes the objects that selectors mean.
#[derive(Default)]
pub(super) struct Select {
    labels: Selector,
    /// Phases, and whether they are asked for or left out.
    phases: Vec<(String, bool)>,
}

impl Select {
    /// The selectors of a query.
    pub(super) fn parse(query: &str) -> Result<Self, Invalid> {
        let mut select = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "labelSelector" => drop(select.labels.extend(labels(&value)?)),
                "fieldSelector" => select.phases.extend(phases(&value)?),
                _ => {}
            }
        }
        Ok(select)
    }

    pub(super) fn takes(&self, held: &Held) -> bool {
        let phase = held.phase.as_deref().unwrap_or_default();
        let fits = |(wanted, equal): &(String, bool)| (wanted == phase) == *equal;
        self.phases.iter().all(fits) && self.labels.matches(&held.labels)
    }
}

fn phases(text: &str) -> Result<Vec<(String, bool)>, Invalid> {
    let phase = |term: &str| {
        let (field, value, equal) = operands(term).ok_or_else(|| Invalid(text.to_owned()))?;
        match field == "status.phase" {
            true => Ok((value.to_owned(), equal)),
            false => Err(Invalid(text.to_owned())),
        }
    };
    text.split(',').filter(|term| !term.is_empty()).map(phase).collect()
}

/// `a=b`, `a==b`, `a!=b`.
fn operands(term: &str) -> Option<(&str, &str, bool)> {
    let (name, value, equal) = match term.split_once("!=") {
        Some((name, value)) => (name, value, false),
        None => {
            term.split_once("==").or_else(|| term.split_once('=')).map(|(name, value)| (name, value, true))?
        }
    };
    Some((name.trim(), value.trim(), equal))
}

/// The terms of a label selector, as kubectl takes it.
fn labels(text: &str) -> Result<Vec<Expression>, Invalid> {
    let invalid = || Invalid(text.to_owned());
    let mut terms = Vec::new();
    let mut begin = 0;
    let mut inside = false;
    // A comma within parentheses separates no terms.
    for (position, c) in text.char_indices().chain([(text.len(), ',')]) {
        match c {
            '(' if !inside => inside = true,
            ')' if inside => inside = false,
            '(' | ')' => return Err(invalid()),
            ',' if !inside => {
                terms.push(&text[begin..position]);
                begin = position + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(invalid());
    }
    let terms = terms.into_iter().map(str::trim).filter(|term| !term.is_empty());
    terms.map(|term| label(term).ok_or_else(invalid)).collect()
}

fn label(term: &str) -> Option<Expression> {
    let is_name = |name: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        !name.is_empty() && name.chars().all(allowed)
    };
    if let Some((name, values)) = term.split_once('(') {
        let values: BTreeSet<String> =
            values.strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
        let (name, operator) = name.trim().rsplit_once(char::is_whitespace)?;
        let name = Some(name.trim()).filter(|name| is_name(name))?.to_owned();
        return match operator {
            "in" => Some(Expression::In(name, values)),
            "notin" => Some(Expression::NotIn(name, values)),
            _ => None,
        };
    }
    if let Some((name, value, equal)) = operands(term) {
        let (name, value) = (Some(name).filter(|name| is_name(name))?.to_owned(), value.to_owned());
        (value.is_empty() || is_name(&value)).then_some(())?;
        return Some(match equal {
            true => Expression::Equal(name, value),
            false => Expression::NotEqual(name, value),
        });
    }
    match term.strip_prefix('!').map(str::trim) {
        Some(name) => is_name(name).then(|| Expression::DoesNotExist(name.to_owned())),
        None => is_name(term).then(|| Expression::Exists(term.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn labels_are_selected_as_by_the_api_server() {
        let of = |labels: &[(&str, &str)]| -> BTreeMap<String, String> {
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let shop = of(&[("app", "shop"), ("tier", "web")]);
        for (text, takes) in [
            ("", true),
            ("app=shop", true),
            ("app==shop,tier=web", true),
            ("app=store", false),
            ("app!=store", true),
            ("none!=x", true),
            ("app in (shop, store),tier", true),
            ("app notin (shop)", false),
            ("none notin (x)", true),
            ("none", false),
            ("!none", true),
            ("example.com/x=", false),
        ] {
            let selector: Selector = labels(text).unwrap().into_iter().collect();
            assert_eq!(selector.matches(&shop), takes, "{text}");
        }
        for text in ["app in shop", "app in (shop", "app)", "a b", "=x", "app like (x)", "app=a b", "((a))"] {
            assert!(labels(text).is_err(), "{text}");
        }
    }

    #[test]
    fn of_fields_the_phase_is_known() {
        let phases = |text: &str| phases(text).unwrap();
        assert_eq!(
            phases("status.phase!=Succeeded,status.phase=Running"),
            [("Succeeded".to_owned(), false), ("Running".to_owned(), true)]
        );
        assert_eq!(super::phases("spec.nodeName=a"), Err(Invalid("spec.nodeName=a".to_owned())));
    }
}
