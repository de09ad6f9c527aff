//! The chart's dashboard as a drawing: each panel in its place, with its title and what it asks
//! Prometheus. A value stands where one scrape of a webhook gives it, and nowhere else: no number is made
//! up, and a graph would need a history.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use reload_tests::Metrics;
use reload_tests::helm::chart;
use serde_json::Value;

use crate::Picture;
use crate::svg::{Piece, Svg};

/// A place of Grafana's grid, which has 24 columns, in pixels.
const UNIT: (f64, f64) = (46.0, 31.0);

const GAP: f64 = 8.0;

/// Of the small font, in pixels.
const CHARACTER: f64 = 6.7;
const LINE: f64 = 16.0;

pub(crate) fn picture(metrics: &Metrics) -> Result<Picture> {
    let text = std::fs::read_to_string(chart().join("files/dashboard.json"))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let panels = panels.iter().map(Panel::of).collect::<Result<Vec<_>>>()?;
    let bottom = panels.iter().map(|panel| panel.y + panel.height).fold(0.0, f64::max);
    let size = (24.0 * UNIT.0 + GAP, bottom * UNIT.1 + GAP);
    let mut svg = Svg::new(size.0, size.1, "The panels of the dashboard kubectl-reload");
    for panel in panels {
        panel.draw(metrics, &mut svg);
    }
    Ok(Picture { name: "dashboard", svg: svg.finish() })
}

struct Panel<'a> {
    title: &'a str,
    description: &'a str,
    /// How Grafana shows it: `stat`, `timeseries`, `piechart`.
    kind: &'a str,
    unit: &'a str,
    queries: Vec<&'a str>,
    /// In units of the grid.
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl<'a> Panel<'a> {
    fn of(panel: &'a Value) -> Result<Self> {
        let text = |pointer: &str| panel.pointer(pointer).and_then(Value::as_str);
        let place = |field: &str| panel["gridPos"][field].as_f64().with_context(|| format!("no {field}"));
        let targets = panel["targets"].as_array().context("no targets")?;
        Ok(Self {
            title: text("/title").context("no title")?,
            description: text("/description").unwrap_or_default(),
            kind: text("/type").context("no type")?,
            unit: text("/fieldConfig/defaults/unit").unwrap_or("none"),
            queries: targets.iter().filter_map(|target| target["expr"].as_str()).collect(),
            x: place("x")?,
            y: place("y")?,
            width: place("w")?,
            height: place("h")?,
        })
    }

    fn draw(&self, metrics: &Metrics, svg: &mut Svg) {
        let (left, top) = (self.x * UNIT.0 + GAP, self.y * UNIT.1 + GAP);
        let (width, height) = (self.width * UNIT.0 - GAP, self.height * UNIT.1 - GAP);
        svg.rectangle((left, top), (width, height), "panel");
        let x = left + 10.0;
        svg.line(top + 20.0, [piece(x, "title bold", self.title)]);
        let mut y = top + 38.0;
        let room = ((width - 20.0) / CHARACTER) as usize;
        let wrapped = |svg: &mut Svg, y: &mut f64, class: &str, text: &str| {
            for line in wrap(text, room) {
                svg.line(*y, [piece(x, class, &line)]);
                *y += LINE;
            }
        };
        wrapped(svg, &mut y, "small dim", self.description);
        let values = self.values(metrics);
        for value in &values {
            y += 24.0;
            svg.line(y, [piece(x, "value green", value)]);
        }
        if !values.is_empty() {
            return;
        }
        wrapped(svg, &mut y, "small dim", &format!("{} of {}", self.kind, unit(self.unit)));
        for query in &self.queries {
            y += LINE / 2.0;
            wrapped(svg, &mut y, "small", query);
        }
    }

    /// What one scrape tells, where the query asks for no more than that.
    fn values(&self, metrics: &Metrics) -> Vec<String> {
        let [query] = self.queries[..] else { return Vec::new() };
        let inside = |prefix: &str, suffix: &str| query.strip_prefix(prefix)?.strip_suffix(suffix);
        // The webhook has counted since it started, which is the whole time that there is to show.
        const TOTAL: &str = "sum(increase(";
        if let Some(selector) = inside("(min(", ") - time()) / 86400") {
            let left = sum(metrics, selector) - Timestamp::now().as_second() as f64;
            vec![format!("{:.1} days", left / 86_400.0)]
        } else if let Some(selector) = inside("count by (version) (", ")") {
            by("version", metrics, selector).into_keys().collect()
        } else if let Some(selector) = inside("max by (namespace) (", ") > 0") {
            listed(by("namespace", metrics, selector))
        } else if let Some(selector) = inside("sum by (result) (increase(", "[$__range]))") {
            listed(by("result", metrics, selector))
        } else if let Some((some, all)) =
            inside(TOTAL, "[$__range]))").and_then(|both| both.split_once(" / "))
        {
            let some = some.strip_suffix("[$__range]))").unwrap_or_default();
            let all = all.strip_prefix(TOTAL).unwrap_or_default();
            vec![format!("{:.1} %", 100.0 * sum(metrics, some) / sum(metrics, all))]
        } else if let Some(selector) = inside("sum(", ")").or_else(|| inside("max(", ")"))
            && !selector.contains('(')
        {
            vec![sum(metrics, selector).to_string()]
        } else {
            Vec::new()
        }
    }
}

/// The sum of a selector's series.
fn sum(metrics: &Metrics, selector: &str) -> f64 {
    by("", metrics, selector).into_values().fold(0.0, |sum, value| sum + value)
}

/// The series of a selector, such as `reviews_total{result!~"a|b"}`, summed by a label. Matchers of
/// variables let all pass: there is one webhook.
fn by(label: &str, metrics: &Metrics, selector: &str) -> BTreeMap<String, f64> {
    let (metric, matchers) = selector.trim_end_matches('}').split_once('{').unwrap_or((selector, ""));
    let value = |labels: &str, name: &str| -> Option<String> {
        let mut all = labels.split(',').filter_map(|label| label.split_once('='));
        all.find(|(has, _)| *has == name).map(|(_, value)| value.trim_matches('"').to_owned())
    };
    let passes = |labels: &str| {
        matchers.split(',').filter(|matcher| !matcher.contains('$')).all(|matcher| {
            if let Some((name, values)) = matcher.split_once("!~") {
                let has = value(labels, name).unwrap_or_default();
                values.trim_matches('"').split('|').all(|value| value != has)
            } else if let Some((name, wanted)) = matcher.split_once('=') {
                value(labels, name).is_some_and(|has| has == wanted.trim_matches('"'))
            } else {
                true
            }
        })
    };
    let mut sums = BTreeMap::new();
    for (labels, number) in metrics.series(metric).filter(|(labels, _)| passes(labels)) {
        *sums.entry(value(labels, label).unwrap_or_default()).or_default() += number;
    }
    sums
}

fn listed(sums: BTreeMap<String, f64>) -> Vec<String> {
    sums.into_iter().filter(|(_, sum)| *sum > 0.0).map(|(name, sum)| format!("{name}: {sum}")).collect()
}

fn piece<'a>(x: f64, class: &'a str, text: &'a str) -> Piece<'a> {
    Piece { x, width: None, class, text }
}

/// Grafana's units in words.
fn unit(id: &str) -> &str {
    match id {
        "s" => "seconds",
        "d" => "days",
        "reqps" | "ops" => "events per second",
        "percentunit" => "a share",
        "short" | "none" => "counts",
        other => other,
    }
}

/// Lines of at most so many characters, broken at blanks and commas where there are some.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_inclusive([' ', ',', '{', '(']) {
        let mut word = word;
        loop {
            let line = lines.last().map_or(0, |line| line.chars().count());
            if line + word.trim_end().chars().count() <= room {
                break;
            }
            if line == 0 {
                let cut = word.char_indices().nth(room).map_or(word.len(), |(index, _)| index);
                let (head, tail) = word.split_at(cut);
                lines.push(String::new());
                if let Some(last) = lines.iter_mut().rev().nth(1) {
                    last.push_str(head);
                }
                word = tail;
            } else {
                lines.push(String::new());
            }
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(word);
        }
    }
    lines.into_iter().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_sums_the_series_that_it_names() {
        let text =
            "a{result=\"x\",pod=\"1\"} 2\na{result=\"y\",pod=\"1\"} 3\na{result=\"z\",pod=\"1\"} 4\nab 9\n";
        let metrics = Metrics::new(text.to_owned());
        assert_eq!(sum(&metrics, "a"), 9.0);
        assert_eq!(sum(&metrics, "a{namespace=~\"$namespace\",result!~\"x|y\"}"), 4.0);
        assert_eq!(sum(&metrics, "a{result=\"x\"}"), 2.0);
        assert_eq!(listed(by("result", &metrics, "a{result!~\"z\"}")), ["x: 2", "y: 3"]);
    }

    #[test]
    fn text_is_broken_where_it_may_be_and_none_is_lost() {
        assert_eq!(wrap("one two, three", 8), ["one two,", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("sum(rate(a{b=1}[5m]))", 9), ["sum(rate(", "a{", "b=1}[5m])", ")"]);
        assert!(wrap("", 4).is_empty());
    }
}
