//! Speaking to one registry about one repository. Everything that comes back is bounded; every error loses its address,
//! and whatever the registry says loses the password, if it repeats it.

use bytes::Bytes;
use futures_util::StreamExt as _;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use reqwest::header::{ACCEPT, HeaderMap};

use crate::config::{RegistryConfig, authorities};
use crate::credentials::Login;
use crate::digest::Digest;
use crate::error::{Fault, causes, is_of_tls};
use crate::reference::{Reference, Version};

/// The specification asks registries to take manifests of 4 MiB.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 4 << 20;
const SAID_CHARS_MAX: usize = 200;
const USER_AGENT: &str = concat!("cofferdam/", env!("CARGO_PKG_VERSION"));
const MANIFESTS: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// A registry, a repository in it, and who is asking.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) place: oci_client::Reference,
    http: reqwest::Client,
    login: Option<Login>,
    address: String,
}

impl Session {
    pub(crate) async fn open(config: &RegistryConfig, reference: &Reference) -> Result<Self, Fault> {
        // Whoever embeds this may have chosen another already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let registry = reference.registry();
        let is_insecure = config.insecure.iter().any(|insecure| insecure == registry);
        let extra = match &config.authorities {
            Some(path) => authorities(path).map_err(|error| Fault::Tls { why: error.to_string() })?,
            None => Vec::new(),
        };
        let certificate = |data: &Vec<u8>| Certificate { encoding: CertificateEncoding::Der, data: data.clone() };
        let client = Client::try_from(ClientConfig {
            protocol: if is_insecure { ClientProtocol::Http } else { ClientProtocol::Https },
            extra_root_certificates: extra.iter().map(certificate).collect(),
            read_timeout: Some(config.stall_timeout),
            connect_timeout: Some(config.stall_timeout),
            user_agent: USER_AGENT,
            ..ClientConfig::default()
        });
        let client = client.map_err(|error| match error {
            OciDistributionError::RequestError(error) => Fault::Tls { why: causes(error) },
            other => Fault::Tls { why: clipped(&other.to_string()) },
        })?;
        let roots: Result<Vec<_>, _> = extra.iter().map(|der| reqwest::Certificate::from_der(der)).collect();
        let http = roots.and_then(|roots| {
            let builder = reqwest::Client::builder().tls_certs_merge(roots).user_agent(USER_AGENT);
            // Nothing says what a tag means but the manifest, so it does not come over a redirect to plain HTTP.
            builder
                .https_only(!is_insecure)
                .read_timeout(config.stall_timeout)
                .connect_timeout(config.stall_timeout)
                .build()
        });
        let http = http.map_err(|error| Fault::Tls { why: causes(error) })?;
        let login = config.credentials.at(registry)?;
        let (name, repository) = (registry.to_owned(), reference.repository().to_owned());
        let place = oci_client::Reference::with_tag(name, repository, reference.version_text());
        let scheme = if is_insecure { "http" } else { "https" };
        let address = format!("{scheme}://{registry}/v2/{}", reference.repository());
        let session = Self { client, place, http, login, address };
        session.client.store_auth_if_needed(session.place.resolve_registry(), &session.auth()).await;
        Ok(session)
    }

    fn auth(&self) -> RegistryAuth {
        match &self.login {
            Some(login) => RegistryAuth::Basic(login.user().to_owned(), login.password().to_owned()),
            None => RegistryAuth::Anonymous,
        }
    }

    /// Asks the registry what it wants to know of whoever asks, and has the answer kept for what follows.
    pub(crate) async fn authorize(&self, operation: RegistryOperation) -> Result<Option<String>, Fault> {
        self.client.auth(&self.place, &self.auth(), operation).await.map_err(|error| self.fault(error))
    }

    /// What a reference means: the bytes of a manifest. It is asked for here and not by `oci-client`, which would take
    /// any number of bytes from whoever answers.
    pub(crate) async fn manifest(&self, reference: &Reference) -> Result<Bytes, Fault> {
        let token = self.authorize(RegistryOperation::Pull).await?;
        let address = format!("{}/manifests/{}", self.address, reference.version_text());
        let ask = |login: Option<&Login>| {
            let request = self.http.get(&address).header(ACCEPT, MANIFESTS);
            match (&token, login) {
                (Some(token), _) => request.bearer_auth(token),
                (None, Some(login)) => request.basic_auth(login.user(), Some(login.password())),
                (None, None) => request,
            }
        };
        let mut response = ask(None).send().await.map_err(of_request)?;
        if response.status() == reqwest::StatusCode::UNAUTHORIZED && token.is_none() && self.login.is_some() {
            response = ask(self.login.as_ref()).send().await.map_err(of_request)?;
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = self.bounded(response).await?;
        match status {
            200 => check_digest(&body, &headers, reference).map(|()| body),
            401 | 403 => Err(Fault::Unauthorized { said: self.said(&String::from_utf8_lossy(&body)) }),
            404 => Err(Fault::NotFound),
            status => Err(Fault::Status { status, said: self.said(&String::from_utf8_lossy(&body)) }),
        }
    }

    async fn bounded(&self, response: reqwest::Response) -> Result<Bytes, Fault> {
        let too_large = |bytes| Fault::TooLarge { what: "the manifest", bytes, bytes_max: MANIFEST_BYTES_MAX };
        if let Some(bytes) = response.content_length().filter(|bytes| *bytes > MANIFEST_BYTES_MAX) {
            return Err(too_large(bytes));
        }
        let (mut body, mut pieces) = (Vec::new(), response.bytes_stream());
        while let Some(piece) = pieces.next().await {
            body.extend_from_slice(&piece.map_err(of_request)?);
            if body.len() as u64 > MANIFEST_BYTES_MAX {
                return Err(too_large(body.len() as u64));
            }
        }
        Ok(body.into())
    }

    /// What `oci-client` says, in our words.
    pub(crate) fn fault(&self, error: OciDistributionError) -> Fault {
        match error {
            OciDistributionError::RequestError(error) => of_request(error),
            OciDistributionError::UnauthorizedError { .. } => Fault::Unauthorized { said: String::new() },
            OciDistributionError::AuthenticationFailure(said) => Fault::Unauthorized { said: self.said(&said) },
            OciDistributionError::ServerError { code: 401 | 403, message, .. } => {
                Fault::Unauthorized { said: self.said(&message) }
            }
            OciDistributionError::ServerError { code: 404, .. } => Fault::NotFound,
            OciDistributionError::ServerError { code: status, message, .. } => {
                Fault::Status { status, said: self.said(&message) }
            }
            OciDistributionError::RegistryError { envelope, .. } => self.refused(&envelope.errors),
            OciDistributionError::IoError(error) => Fault::Broken { why: broken(error) },
            OciDistributionError::RegistryNoLocationError | OciDistributionError::RegistryNoDigestError => {
                Fault::Protocol { why: "an answer lacks a header".to_owned() }
            }
            other => Fault::Protocol { why: self.said(&other.to_string()) },
        }
    }

    fn refused(&self, errors: &[oci_client::errors::OciError]) -> Fault {
        let said = errors.first().map(|error| self.said(&error.message)).unwrap_or_default();
        match errors.first().map(|error| &error.code) {
            Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => Fault::Unauthorized { said },
            Some(
                OciErrorCode::BlobUnknown
                | OciErrorCode::ManifestUnknown
                | OciErrorCode::NameUnknown
                | OciErrorCode::NotFound,
            ) => Fault::NotFound,
            Some(OciErrorCode::Toomanyrequests) => Fault::Status { status: 429, said },
            _ => Fault::Protocol { why: said },
        }
    }

    /// A registry's own words, fit to be shown.
    fn said(&self, text: &str) -> String {
        use base64::Engine as _;
        let repeats = self.login.as_ref().is_some_and(|login| {
            let pair = format!("{}:{}", login.user(), login.password());
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
            text.contains(login.password()) || text.contains(&encoded)
        });
        if repeats { "(words that hold the password)".to_owned() } else { clipped(text) }
    }
}

/// On one line, and not long.
pub(crate) fn clipped(text: &str) -> String {
    let plain = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(SAID_CHARS_MAX).collect::<String>().trim_end().to_owned()
}

pub(crate) fn of_request(error: reqwest::Error) -> Fault {
    match () {
        () if is_of_tls(&error) => Fault::Tls { why: causes(error) },
        () if error.is_connect() => Fault::Unreachable { why: causes(error) },
        () => match error.status() {
            Some(status) if matches!(status.as_u16(), 401 | 403) => Fault::Unauthorized { said: String::new() },
            Some(status) if status.as_u16() == 404 => Fault::NotFound,
            Some(status) => Fault::Status { status: status.as_u16(), said: String::new() },
            None if error.is_builder() || error.is_redirect() => Fault::Protocol { why: causes(error) },
            None => Fault::Broken { why: causes(error) },
        },
    }
}

/// What ended a stream of bytes.
pub(crate) fn broken(error: std::io::Error) -> String {
    let of_http = error.get_ref().is_some_and(|inner| inner.is::<reqwest::Error>());
    if !of_http {
        return clipped(&error.to_string());
    }
    let inner = error.into_inner().and_then(|inner| inner.downcast::<reqwest::Error>().ok());
    inner.map_or_else(String::new, |error| causes(*error))
}

/// Whether a stream ended because its bytes were not those that were asked for.
pub(crate) fn is_of_digest(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<DigestError>())
}

fn check_digest(body: &[u8], headers: &HeaderMap, reference: &Reference) -> Result<(), Fault> {
    let found = Digest::of(body);
    let header = headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
    let said = header.and_then(|text| text.parse::<Digest>().ok());
    let asked = match reference.version() {
        Version::Digest(digest) => Some(*digest),
        Version::Tag(_) | Version::Untagged => None,
    };
    match asked.into_iter().chain(said).find(|expected| *expected != found) {
        Some(expected) => Err(Fault::Digest { expected, found }),
        None => Ok(()),
    }
}
