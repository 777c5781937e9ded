//! The gate before the compiler: a module whose shape is refused costs no compiling. It changes no code.

use std::sync::{Mutex, PoisonError};

use wasmer::sys::{FunctionMiddleware, MiddlewareError, ModuleMiddleware};
use wasmer::{LocalFunctionIndex, ModuleInfo};

use super::ActorError;
use super::shape::Shape;
use crate::words::ActorLimits;

/// The gate for one module.
#[derive(Debug)]
pub(super) struct Gate {
    limits: ActorLimits,
    refusal: Mutex<Option<ActorError>>,
}

impl Gate {
    pub(super) fn new(limits: ActorLimits) -> Self {
        Self { limits, refusal: Mutex::new(None) }
    }

    /// Why the module was refused, when compiling failed because of its shape.
    pub(super) fn take_refusal(&self) -> Option<ActorError> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ModuleMiddleware for Gate {
    fn generate_function_middleware<'a>(&self, _: LocalFunctionIndex) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        Box::new(AsItIs)
    }

    /// Runs before any function is compiled.
    fn transform_module_info(&self, info: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        Shape::of(info, &self.limits).map(drop).map_err(|refusal| {
            let message = refusal.to_string();
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
            MiddlewareError::new("gate", message)
        })
    }
}

/// Passes every operator on, which is what the trait does by itself.
#[derive(Debug)]
struct AsItIs;

impl FunctionMiddleware<'_> for AsItIs {}
