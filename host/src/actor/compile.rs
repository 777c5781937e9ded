//! From bytes to native code: validation, the meter, Cranelift, and the artifact cache in front of them.
//!
//! What is compiled is the module without its token, and what an artifact is found by is the hash of these very bytes:
//! so the same code signed anew is not compiled anew, and nothing that the compiler sees is left out of the hash.
//! Each module has an engine of its own, for an engine frees no code before it is dropped.

use std::borrow::Cow;
use std::sync::Arc;

use cofferdam_claims::module_code;
use wasmer::sys::{CompilerConfig as _, Cranelift, EngineBuilder, Features, Target};
use wasmer::{Engine, Module};

use super::cache::{ArtifactCache, ArtifactKey};
use super::gate::Gate;
use super::meter::{METER_VERSION, Meter};
use super::shape::{MODULE_BYTES_MAX, Shape};
use super::{ActorError, ActorSpec};
use crate::words::Metering;

/// Goes into the key of cached artifacts; wasmer's own check of its artifacts is by a coarser number.
const WASMER_VERSION: &str = "7.4.2";

/// A module that is ready to be instantiated.
pub(super) struct Compiled {
    pub(super) engine: Engine,
    pub(super) module: Module,
    pub(super) shape: Shape,
}

/// What the module may use of WebAssembly beyond its first version: what compilers emit today and no more. Threads
/// stay off: the code that reads guest memory relies on it. One memory: so does the meter.
fn features() -> Features {
    let mut features = Features::none();
    features.reference_types(true).bulk_memory(true).multi_value(true).simd(true).extended_const(true);
    features
}

/// Compiles a module, or takes it from the cache.
pub(super) fn compile(spec: &ActorSpec<'_>, cache: Option<&ArtifactCache>) -> Result<Compiled, ActorError> {
    let actor = spec.entity.public_key();
    let bytes = spec.wasm.len() as u64;
    if bytes > MODULE_BYTES_MAX {
        return Err(ActorError::ModuleTooLarge { actor: actor.to_owned(), bytes, limit: MODULE_BYTES_MAX });
    }
    // What has no framing of a module is for wasmer to refuse.
    let code = module_code(spec.wasm).map_or(Cow::Borrowed(spec.wasm), Cow::Owned);
    let gate = Arc::new(Gate::new(spec.limits));
    let mut compiler = Cranelift::new();
    compiler.push_middleware(Arc::clone(&gate) as Arc<_>);
    if spec.metering == Metering::On {
        compiler.push_middleware(Arc::new(Meter::default()));
    }
    let (target, features) = (Target::default(), features());
    let key = ArtifactKey::new(&code, &settings(spec.metering, &target, &features));
    let engine = EngineBuilder::new(compiler).set_target(Some(target)).set_features(Some(features)).engine();
    let engine: Engine = engine.into();

    let cached = cache.and_then(|cache| cache.load(&engine, &key));
    let module = match cached {
        Some(module) => module,
        None => {
            let module = Module::new(&engine, &*code).map_err(|error| {
                let invalid = || ActorError::NotValid { actor: actor.to_owned(), message: error.to_string() };
                gate.take_refusal().unwrap_or_else(invalid)
            })?;
            if let Some(cache) = cache {
                cache.store(&module, &key);
            }
            module
        }
    };
    let shape = Shape::of(module.info(), &spec.limits)?;
    Ok(Compiled { engine, module, shape })
}

/// All that decides what code comes out for the same bytes, as text.
fn settings(metering: Metering, target: &Target, features: &Features) -> String {
    let meter = match metering {
        Metering::On => format!("meter {METER_VERSION}"),
        Metering::Off => "no meter".to_owned(),
    };
    let (triple, cpu) = (target.triple(), target.cpu_features());
    format!("wasmer {WASMER_VERSION}, cranelift, {meter}, {triple}, {cpu:?}, {features:?}")
}
