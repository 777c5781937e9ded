//! A bound store, called with the names and bytes of the contract.

use cofferdam_keyvalue::cofferdam_provider_v1;
use cofferdam_testkit::{Refused, Rig, Settings, no_actors};
use rmpv::Value;

/// A rig without links, on a state directory.
pub(crate) fn rig(state_dir: Option<&std::path::Path>) -> Rig {
    let settings = Settings { state_dir: state_dir.map(Into::into), ..Settings::default() };
    Rig::with(&cofferdam_provider_v1, settings, no_actors).expect("the provider is made")
}

/// Arguments as the contract's crates send them: a map of names.
pub(crate) fn arguments(fields: &[(&str, Value)]) -> Vec<u8> {
    let map = Value::Map(fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect());
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &map).expect("a vector takes everything");
    bytes
}

/// Calls an operation; the answer is shown as `name=value name=value`, a refusal as `! words`.
pub(crate) fn call(rig: &Rig, actor: &str, operation: &str, fields: &[(&str, Value)]) -> String {
    shown(rig.call(actor, operation, &arguments(fields)))
}

pub(crate) fn shown(answer: Result<Vec<u8>, Refused>) -> String {
    match answer {
        Ok(bytes) => {
            let value = rmpv::decode::read_value(&mut bytes.as_slice()).expect("an answer of MessagePack");
            let fields = value.as_map().expect("a map of names");
            let pair = |(name, value): &(Value, Value)| format!("{}={value}", name.as_str().expect("a name"));
            fields.iter().map(pair).collect::<Vec<_>>().join(" ")
        }
        Err(refused) => format!("! {}", refused.words),
    }
}
