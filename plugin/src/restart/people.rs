//! Field managers by which people write, and what deploys for them.

/// How their names begin, in lower case. docs/how-it-decides.md has them, too.
const MANAGERS: [&str; 12] = [
    "argocd",
    "dashboard",
    "flux",
    "hashicorp",
    "helm",
    "kapp",
    "kubectl",
    "kustomize",
    "mozilla",
    "pulumi",
    "rancher",
    "terraform",
];

/// Whether a field manager is one by which people, or GitOps and deployment tools, write, and no workload
/// its own sources.
pub(super) fn is_of_people(manager: &str) -> bool {
    let manager = manager.to_ascii_lowercase();
    MANAGERS.iter().any(|name| manager.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_of_people_are_told_from_workloads() {
        for (manager, expected) in [
            ("kubectl-client-side-apply", true),
            ("kubectl", true),
            ("argocd-controller", true),
            ("helm-controller", true),
            ("kustomize-controller", true),
            ("HashiCorp", true),
            ("Mozilla", true),
            ("web", false),
            ("OpenAPI-Generator", false),
            ("", false),
        ] {
            assert_eq!(is_of_people(manager), expected, "{manager}");
        }
    }

    #[test]
    fn the_page_names_them_all() {
        let page = include_str!("../../../docs/how-it-decides.md");
        for manager in MANAGERS {
            assert!(page.contains(&format!("`{manager}`")), "{manager} is not in the page");
        }
    }
}
