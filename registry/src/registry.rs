//! The one way in: a [`Registry`] pulls and pushes as it was configured.

use std::sync::Arc;

use crate::cache::Cache;
use crate::config::{Latest, RegistryConfig, authorities};
use crate::error::{Fault, RegistryError};
use crate::media::Wanted;
use crate::progress::Progress;
use crate::pull::{Pull, Pulled};
use crate::push::{Push, Pushed};
use crate::reference::{Reference, Version};

/// All registries, as one configuration uses them.
#[derive(Clone, Debug)]
pub struct Registry {
    config: RegistryConfig,
}

impl Registry {
    /// Checks what can be checked without a registry. The cache is made when something is pulled.
    pub fn new(config: RegistryConfig) -> Result<Self, RegistryError> {
        config.authorities.as_deref().map(authorities).transpose()?;
        Ok(Self { config })
    }

    /// Fetches an artifact, or takes it from the cache.
    pub async fn pull(
        &self,
        reference: &str,
        wanted: Wanted,
        progress: Arc<dyn Progress>,
    ) -> Result<Pulled, RegistryError> {
        let reference = self.reference(reference)?;
        let cache = Cache::open(&self.config.cache_dir, self.config.cache_bytes_max)?;
        let pull = Pull { config: &self.config, cache: &cache, reference: &reference, wanted, progress: &*progress };
        self.in_time("pulling", &reference, pull.run()).await
    }

    /// Puts an artifact there. Its bytes say what it is.
    pub async fn push(
        &self,
        reference: &str,
        bytes: Vec<u8>,
        progress: Arc<dyn Progress>,
    ) -> Result<Pushed, RegistryError> {
        let reference = self.reference(reference)?;
        if matches!(reference.version(), Version::Digest(_)) {
            return Err(RegistryError::PushToDigest { reference: reference.to_string() });
        }
        let push = Push { config: &self.config, reference: &reference, bytes: bytes.into(), progress };
        self.in_time("pushing", &reference, push.run()).await
    }

    fn reference(&self, text: &str) -> Result<Reference, RegistryError> {
        let reference: Reference = text.parse()?;
        if reference.is_latest() && self.config.latest == Latest::Refused {
            return Err(RegistryError::Latest { reference: reference.to_string() });
        }
        Ok(reference)
    }

    async fn in_time<T>(
        &self,
        act: &'static str,
        reference: &Reference,
        transfer: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, RegistryError> {
        let timeout = self.config.timeout;
        let ended = tokio::time::timeout(timeout, transfer).await.unwrap_or(Err(Fault::TooLate(timeout)));
        ended.map_err(|fault| RegistryError::Transfer { act, reference: reference.to_string(), fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn sent<T: Send>(future: T) -> T {
        future
    }

    /// Also holds that a transfer may be another thread's.
    #[tokio::test]
    async fn what_is_wrong_is_found_before_anybody_is_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = Registry::new(RegistryConfig::new(folder.path().join("cache"))).expect("good");
        let digest = crate::Digest::of(b"x");
        let cases = [
            ("echo:1".to_owned(), "bad_reference"),
            ("r.example/echo".to_owned(), "latest_refused"),
            ("r.example/echo:latest".to_owned(), "latest_refused"),
            (format!("r.example/echo@{digest}"), "push_to_digest"),
        ];
        for (reference, kind) in cases {
            let pushed = sent(registry.push(&reference, Vec::new(), Arc::new(Silent))).await;
            assert_eq!(pushed.expect_err("refused").verdict().1, kind, "{reference}");
        }
        let pulled = sent(registry.pull("r.example/echo", Wanted::Any, Arc::new(Silent))).await;
        assert_eq!(pulled.expect_err("refused").verdict().1, "latest_refused");
        assert!(!folder.path().join("cache").exists());
        for (content, why) in [("", "holds no certificate"), ("x", "holds no certificate")] {
            let path = folder.path().join("ca.pem");
            std::fs::write(&path, content).expect("a file");
            let config = RegistryConfig { authorities: Some(path), ..RegistryConfig::new(folder.path()) };
            let refused = Registry::new(config).expect_err(content);
            assert!(refused.to_string().contains(why), "{refused}");
        }
    }
}
