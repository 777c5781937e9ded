//! Which function of the host an import names, as a table: waPC and WASI preview 1, nothing else.

use wasmer::{Extern, ExternType, FunctionEnv, FunctionType, ImportType, Store, Type};

use super::ActorError;
use super::guest::Guest;
use super::shape::signature;
use super::wasi::WasiFunction;
use super::{wapc, wasi};

/// One import, resolved when the module is loaded and made anew for each instance.
#[derive(Clone, Copy, Debug)]
pub(super) enum Import {
    Wapc(wapc::WapcFunction),
    Wasi(&'static WasiFunction),
}

impl Import {
    /// Finds what an import names and compares the signature.
    pub(super) fn resolve(import: &ImportType<ExternType>) -> Result<Self, ActorError> {
        let (module, name) = (import.module(), import.name());
        let unknown = || ActorError::UnknownImport { module: module.to_owned(), name: name.to_owned() };
        let ExternType::Function(found) = import.ty() else { return Err(unknown()) };
        let resolved = match module {
            "wapc" => wapc::WapcFunction::by_name(name).map(Self::Wapc),
            "wasi_snapshot_preview1" | "wasi_unstable" => wasi::by_name(name).map(Self::Wasi),
            _ => None,
        };
        let resolved = resolved.ok_or_else(unknown)?;
        let expected = resolved.ty();
        if *found == expected {
            return Ok(resolved);
        }
        Err(ActorError::ImportSignature {
            module: module.to_owned(),
            name: name.to_owned(),
            expected: signature(&expected),
            found: signature(found),
        })
    }

    fn ty(self) -> FunctionType {
        match self {
            Self::Wapc(function) => {
                let (params, results) = function.arity();
                FunctionType::new(vec![Type::I32; params], vec![Type::I32; results])
            }
            Self::Wasi(function) => function.ty(),
        }
    }

    /// The function itself, for one instance.
    pub(super) fn make(self, store: &mut Store, env: &FunctionEnv<Guest>) -> Extern {
        match self {
            Self::Wapc(function) => function.make(store, env).into(),
            Self::Wasi(function) => function.make(store, env).into(),
        }
    }
}
