//! Which variables a literal value reads when the kubelet expands it.
//!
//! The rules are those of Kubernetes' `third_party/forked/golang/expansion`, which goes through a value
//! once: `$$` is an escaped `$`; `$(` begins a name that ends at the next `)`, whatever lies between; a
//! `$` before anything else stands for itself, together with what follows it.

/// The names in a value, as often as they stand there. Takes time in proportion to the value's length.
pub(super) fn variables(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let (_, expression) = rest.split_once('$')?;
            let Some(opened) = expression.strip_prefix('(') else {
                // Whatever the one character is that the `$` takes with it.
                let mut characters = expression.chars();
                characters.next();
                rest = characters.as_str();
                continue;
            };
            // Without an end of this name there is none of a later one either.
            let (name, after) = opened.split_once(')')?;
            rest = after;
            return Some(name);
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_value_reads_the_variables_that_the_kubelet_expands_in_it() {
        for (value, expected) in [
            ("", &[][..]),
            ("plain", &[]),
            ("$(A)", &["A"]),
            ("x$(A)y$(B)$(A)z", &["A", "B", "A"]),
            ("$$(A)", &[]),
            ("$$$(A)", &["A"]),
            ("$$$$(A)", &[]),
            ("$A $(B)", &["B"]),
            // A `$` takes the character after it along, and so does one before a `$`.
            ("$x$(A)", &["A"]),
            ("$ä$(A)", &["A"]),
            ("$", &[]),
            ("$(A)$", &["A"]),
            ("$(", &[]),
            ("$(A", &[]),
            ("$(A$(B", &[]),
            ("$()", &[""]),
            ("$(A$(B)", &["A$(B"]),
            ("$($(A))", &["$(A"]),
            ("$(A)) $(B)", &["A", "B"]),
            ("$(A B)", &["A B"]),
            ("${A} $[B] (C)", &[]),
        ] {
            assert_eq!(variables(value).collect::<Vec<_>>(), expected, "{value}");
        }
    }

    #[test]
    fn a_value_of_a_megabyte_is_gone_through_once() {
        let openers = "$(".repeat(1 << 19);
        let start = Instant::now();
        assert_eq!(variables(&openers).count(), 0);
        assert_eq!(variables(&(openers.clone() + ")")).count(), 1);
        assert_eq!(variables(&"$()".repeat(1 << 18)).count(), 1 << 18);
        assert_eq!(variables(&"$$".repeat(1 << 19)).count(), 0);
        // Each opener by all that follows it takes minutes.
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}
