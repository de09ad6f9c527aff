//! What a server counts, in the text form that Prometheus reads.

use std::fmt;

/// One scrape.
#[derive(Clone, Debug)]
pub struct Metrics {
    text: String,
}

impl Metrics {
    /// As a server, a file or a command gives it.
    pub fn new(text: String) -> Self {
        Self { text }
    }

    /// The sum of a metric over all its series that have these labels; 0 where there are none.
    pub fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        self.series(metric)
            .filter(|(has, _)| {
                labels.iter().all(|(name, value)| has.contains(&format!("{name}=\"{value}\"")))
            })
            .map(|(_, value)| value)
            .sum()
    }

    /// The labels and the value of each series of a metric.
    pub fn series<'a>(&'a self, metric: &str) -> impl Iterator<Item = (&'a str, f64)> {
        self.text.lines().filter_map(move |line| {
            let rest = line.strip_prefix(metric)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.split_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            // A time may follow.
            Some((labels, value.split(' ').next()?.parse().ok()?))
        })
    }

    /// How many observations of a histogram took longer than this, as far as its buckets tell: those
    /// above the first bucket that holds `seconds`.
    pub fn above(&self, histogram: &str, seconds: f64) -> f64 {
        let bucket = |labels: &str| -> Option<f64> {
            let le = labels.split("le=\"").nth(1)?.split('"').next()?;
            if le == "+Inf" { Some(f64::INFINITY) } else { le.parse().ok() }
        };
        let name = format!("{histogram}_bucket");
        let buckets = self.series(&name).filter_map(|(labels, value)| Some((bucket(labels)?, value)));
        let holds = buckets.filter(|(le, _)| *le >= seconds);
        let first = holds.min_by(|(one, _), (other, _)| one.total_cmp(other));
        self.sum(&format!("{histogram}_count"), &[]) - first.map_or(0.0, |(_, value)| value)
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_their_labels() {
        let text = "# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"2\"} 4.5 1700000000\na_b 7\n";
        let metrics = Metrics::new(text.to_owned());
        assert_eq!(metrics.sum("a", &[]), 7.5);
        assert_eq!(metrics.sum("a", &[("x", "1")]), 3.0);
        assert_eq!(metrics.sum("a_b", &[]), 7.0);
        assert_eq!(metrics.sum("none", &[]), 0.0);
    }

    #[test]
    fn a_histogram_tells_what_took_too_long() {
        let text = "h_bucket{le=\"0.5\"} 2\nh_bucket{le=\"1.0\"} 5\nh_bucket{le=\"+Inf\"} 6\nh_count 6\n";
        let metrics = Metrics::new(text.to_owned());
        assert_eq!(metrics.above("h", 0.7), 1.0);
        assert_eq!(metrics.above("h", 0.5), 4.0);
        assert_eq!(metrics.above("h", 9.0), 0.0);
    }
}
