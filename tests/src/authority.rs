//! Certificates that are not the webhook's own, as cert-manager or an administrator makes them, and the
//! folder in which the kubelet mounts them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

/// A CA.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate's chain and its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The serving certificate first.
    pub chain: String,
    /// Of the serving certificate.
    pub key: String,
    /// When it expires, as Unix time.
    pub not_after: i64,
}

impl Authority {
    /// A new CA of this name.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for 127.0.0.1 that lasts for so many days.
    pub fn issue(&self, days: i64) -> Result<Pair> {
        self.issue_for("127.0.0.1", days)
    }

    /// A certificate for this name or address that lasts for so many days.
    pub fn issue_for(&self, name: &str, days: i64) -> Result<Pair> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_owned()])?;
        let end = Timestamp::now() + SignedDuration::from_hours(24 * days);
        let date = jiff::tz::TimeZone::UTC.to_datetime(end).date();
        params.not_after =
            date_time_ymd(date.year().into(), date.month().try_into()?, date.day().try_into()?);
        let not_after = params.not_after.unix_timestamp();
        let chain = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Pair { chain, key: key.serialize_pem(), not_after })
    }
}

/// A Secret of `tls.crt` and `tls.key` as the kubelet mounts it: what is there is exchanged at once, by
/// a symbolic link that is put in the place of another.
pub struct MountedPair {
    folder: PathBuf,
    exchanges: u32,
}

impl MountedPair {
    /// A new folder with this pair.
    pub fn new(folder: PathBuf, pair: &Pair) -> Result<Self> {
        fs::create_dir(&folder)?;
        let mut mounted = Self { folder, exchanges: 0 };
        mounted.exchange(pair)?;
        for file in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(file), mounted.folder.join(file))?;
        }
        Ok(mounted)
    }

    /// Another pair.
    pub fn exchange(&mut self, pair: &Pair) -> Result<()> {
        let data = format!("..{}", self.exchanges);
        let folder = self.folder.join(&data);
        fs::create_dir(&folder)?;
        fs::write(folder.join("tls.crt"), &pair.chain)?;
        fs::write(folder.join("tls.key"), &pair.key)?;
        let link = self.folder.join("..data_tmp");
        symlink(&data, &link)?;
        fs::rename(link, self.folder.join("..data"))?;
        if let Some(last) = self.exchanges.checked_sub(1) {
            fs::remove_dir_all(self.folder.join(format!("..{last}")))?;
        }
        self.exchanges += 1;
        Ok(())
    }

    /// The webhook's flags for it.
    pub fn flags(&self) -> Vec<String> {
        let path = |file: &str| self.folder.join(file).display().to_string();
        vec![
            format!("--tls-cert-file={}", path("tls.crt")),
            format!("--tls-private-key-file={}", path("tls.key")),
        ]
    }
}
