//! Why a link has no TLS. All of it is the operator's to mend, and none of it holds anything of a key.

use std::io;

use cofferdam_provider::CallError;
use thiserror::Error;

use super::{CERT, KEY, PEM_BYTES_MAX};

/// Why a link was refused. Hosts clip the values of links out of these words, so they name the link value that is meant.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error(
        "what the link value {value} names could not be opened: {error}; grant it, in the manifest, by the provider's entry in \
         capabilities, under the name that the link value has: grants: {{secret: [{{name: NAME, from: {{file: PATH}}}}]}}, or \
         grants: {{file: [{{name: NAME, path: PATH}}]}}, beside the address to listen on"
    )]
    Open { value: &'static str, error: CallError },
    #[error("what the link value {value} names could not be read: {error}")]
    Read { value: &'static str, error: io::Error },
    #[error("what the link value {value} names is longer than {PEM_BYTES_MAX} bytes")]
    TooLong { value: &'static str },
    #[error(
        "what the link value {value} names is not PEM, or is broken off; it is a text of sections in BEGIN and END lines"
    )]
    NotPem { value: &'static str },
    #[error(
        "what the link value {CERT} names is PEM without a certificate; it is the server's own, then those that signed it"
    )]
    NoCertificate,
    #[error(
        "what the link value {KEY} names is PEM without a private key; it is one of PKCS #8, PKCS #1 or SEC 1, unencrypted"
    )]
    NoKey,
    #[error("the certificate that the link value {CERT} names can't be read")]
    BadCertificate,
    #[error("the key that the link value {KEY} names can't be used; RSA, ECDSA (P-256, P-384) and Ed25519 can")]
    BadKey,
    #[error(
        "the key that the link value {KEY} names does not belong to the first certificate that {CERT} names; the server's own \
         certificate comes first"
    )]
    KeyOfAnother,
    #[error("TLS can't be set up")]
    Unusable(#[source] rustls::Error),
}
