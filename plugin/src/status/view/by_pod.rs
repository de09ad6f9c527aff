//! The same, pod by pod.

use super::View;
use crate::status::pod::PodReport;

impl View<'_> {
    /// One row a pod and source.
    pub(super) fn by_pod(&self, pods: &[&PodReport]) -> String {
        let mut rows = Vec::new();
        for pod in pods {
            let mut first = vec![pod.name.clone(), pod.workload.to_string()];
            first.extend(self.judged(pod.verdict, pod.certainty));
            if self.namespace.is_none() {
                first.insert(0, pod.namespace.clone());
            }
            let blank = vec![String::new(); first.len()];
            let mut cells: Vec<Vec<String>> = Vec::new();
            for cause in &pod.causes {
                let [what, since] = self.cause(cause);
                cells.push(vec![cause.source.to_string(), what, since]);
            }
            if let Some(problem) = &pod.problem {
                cells.push(vec![String::new(), problem.clone()]);
            }
            if cells.is_empty() {
                cells.push(Vec::new());
            }
            for (position, cells) in cells.into_iter().enumerate() {
                rows.push([if position == 0 { first.clone() } else { blank.clone() }, cells].concat());
            }
        }
        let mut headings = self.place();
        headings.extend(["POD", "WORKLOAD", "VERDICT"]);
        if self.wide {
            headings.push("CERTAINTY");
        }
        headings.extend(["SOURCE", "WHAT", "SINCE"]);
        self.render(&headings, &rows)
    }
}
