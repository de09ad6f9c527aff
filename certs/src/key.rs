//! Private keys of certificates that this crate issues.

use std::fmt;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::certificate::Certificate;

/// An ECDSA P-256 key in PKCS #8 form, wiped from memory when dropped. (What the signing library
/// copies while it works is its own to wipe.)
pub struct PrivateKey {
    der: Zeroizing<Vec<u8>>,
    public_key: Vec<u8>,
}

/// A key that cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text holds no PKCS #8 key.
    #[error("there is no PKCS #8 private key in the PEM text")]
    Missing,
    /// The key is not one that this crate makes, or the system gives no randomness.
    #[error("the private key cannot be used")]
    Unusable(#[from] rcgen::Error),
}

impl PrivateKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] where the system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self::from_pair(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?))
    }

    /// The first private key of a PEM text.
    ///
    /// # Errors
    /// [`KeyError`] where there is none, or another kind of key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let Ok(mut key) = PrivateKeyDer::from_pem_slice(pem) else {
            return Err(KeyError::Missing);
        };
        let pair = match &key {
            PrivateKeyDer::Pkcs8(pkcs8) => pair_of(pkcs8),
            _ => Err(KeyError::Missing),
        };
        zeroize::Zeroize::zeroize(&mut key);
        Ok(Self::from_pair(&pair?))
    }

    /// The key as a PEM section.
    pub fn to_pem(&self) -> Zeroizing<String> {
        crate::pem::encode("PRIVATE KEY", &self.der)
    }

    /// Whether this is the key of that certificate.
    pub fn fits(&self, certificate: &Certificate) -> bool {
        self.public_key == certificate.public_key()
    }

    pub(crate) fn signer(&self) -> Result<KeyPair, KeyError> {
        pair_of(&PrivatePkcs8KeyDer::from(self.der.as_slice()))
    }

    fn from_pair(pair: &KeyPair) -> Self {
        Self {
            der: Zeroizing::new(pair.serialized_der().to_vec()),
            public_key: pair.subject_public_key_info(),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

fn pair_of(pkcs8: &PrivatePkcs8KeyDer<'_>) -> Result<KeyPair, KeyError> {
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(pkcs8, &PKCS_ECDSA_P256_SHA256)?)
}
