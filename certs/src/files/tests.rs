use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Mutex;

use super::*;
use crate::issue::{Pair, issue_ca, issue_leaf};
use crate::names::Names;
use crate::verify::{at, told};

const LIFE: Duration = Duration::from_secs(900);

/// A directory laid out as the kubelet does: `tls.crt` and `tls.key` are links through `..data`,
/// which is exchanged as a whole.
struct Mount {
    path: PathBuf,
    versions: usize,
}

impl Mount {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("reload-certs-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        for file in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(file), path.join(file)).unwrap();
        }
        Self { path, versions: 0 }
    }

    fn swap(&mut self, chain: &str, key: &str) {
        self.versions += 1;
        let version = format!("..version-{}", self.versions);
        let folder = self.path.join(&version);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("tls.crt"), chain).unwrap();
        fs::write(folder.join("tls.key"), key).unwrap();
        let link = self.path.join("..data_tmp");
        symlink(version, &link).unwrap();
        fs::rename(link, self.path.join("..data")).unwrap();
    }

    fn give(&mut self, pair: &Pair) {
        self.swap(&pair.certificate.to_pem(), &pair.key.to_pem());
    }

    fn files(&self) -> FileCertificates {
        FileCertificates::new(self.path.join("tls.crt"), self.path.join("tls.key"))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn pair() -> Pair {
    let ca = issue_ca(at(0), LIFE).unwrap();
    issue_leaf(&ca, &Names::parse(["a.b.svc"]).unwrap(), at(0), LIFE).unwrap()
}

#[test]
fn a_first_load_that_fails_is_told_with_its_remedy() {
    let (one, other) = (pair(), pair());
    let (chain, key) = (one.certificate.to_pem(), one.key.to_pem());
    let cases = [
        ("no files", None, "check the path"),
        ("empty", Some(("", "")), "no certificate in"),
        ("no key", Some((&*chain, "")), "no private key in"),
        ("two pairs", Some((&*chain, &*other.key.to_pem())), "does not fit"),
        ("expired", Some((&*chain, &*key)), "renew it"),
    ];
    for (case, contents, expected) in cases {
        let mut mount = Mount::new("first");
        if let Some((chain, key)) = contents {
            mount.swap(chain, key);
        }
        let error = mount.files().load(at(901)).unwrap_err();
        let text = told(&error);
        assert!(text.contains(expected), "{case}: {text}");
        assert!(text.contains("tls.crt"), "{case}: {text}");
    }
}

#[tokio::test]
async fn a_swap_is_seen_and_a_bad_pair_keeps_the_last_good_one() {
    let (one, two) = (pair(), pair());
    let mut mount = Mount::new("swap");
    mount.give(&one);
    let files = mount.files().with_interval(Duration::from_millis(1));
    let first = files.load(at(0)).unwrap();

    // What each look sees is what the one before it left behind.
    let mut outcomes = Vec::new();
    let done = tokio::sync::Notify::new();
    let served = Mutex::new(first.clone());
    let run = files.run(
        first,
        || at(0),
        |event| {
            outcomes.push(match &event {
                Event::Changed(_) => "changed",
                Event::Unchanged(_) => "unchanged",
                Event::Failed { .. } => "failed",
            });
            if let Event::Changed(serving) = event {
                *served.lock().unwrap() = serving;
            }
            match outcomes.len() {
                1 => mount.swap(&two.certificate.to_pem(), &one.key.to_pem()),
                2 => mount.swap("", ""),
                3 => mount.give(&one),
                4 => mount.give(&two),
                _ => done.notify_one(),
            }
        },
    );
    tokio::select! {
        _ = run => {}
        () = done.notified() => {}
    }

    let expected = ["unchanged", "failed", "failed", "unchanged", "changed"];
    assert_eq!(outcomes[..5], expected);
    let served = served.into_inner().unwrap();
    assert_eq!(served.chain[0], *two.certificate.der());
}
