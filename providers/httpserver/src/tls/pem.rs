//! Certificates and keys out of PEM. What a parser found wrong is never repeated: its words may quote a line of a key.

use rustls::pki_types::pem::{Error, PemObject, SliceIter};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{CERT, KEY, TlsError};

const BEGIN: &[u8] = b"-----BEGIN ";

/// All certificates, in their order.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, Error>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) if holds_sections(text) => Err(TlsError::NoCertificate),
        _ => Err(TlsError::NotPem { value: CERT }),
    }
}

/// The first private key.
pub(super) fn key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let mut found: SliceIter<'_, PrivateKeyDer<'static>> = PrivateKeyDer::pem_slice_iter(text);
    match found.next() {
        Some(Ok(key)) => Ok(key),
        None if holds_sections(text) => Err(TlsError::NoKey),
        _ => Err(TlsError::NotPem { value: KEY }),
    }
}

fn holds_sections(text: &[u8]) -> bool {
    text.windows(BEGIN.len()).any(|window| window == BEGIN)
}
