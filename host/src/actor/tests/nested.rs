//! Calls from guests: what reaches the outbound, what comes back, and actors that call each other.

use std::collections::HashMap;
use std::sync::{OnceLock, Weak};
use std::time::{Duration, Instant};

use super::*;

/// Sends every call to the actor that its namespace names, as the host's broker does.
#[derive(Default)]
struct Actors(OnceLock<HashMap<&'static str, Weak<ActorModule>>>);

impl Outbound for Actors {
    fn host_call(&self, call: &HostCall<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let actor = self.0.get().and_then(|actors| actors.get(call.namespace)?.upgrade());
        let Some(actor) = actor else { return Nowhere.host_call(call, reply) };
        let target = WasmCloudEntity::Actor(call.namespace.to_owned());
        let depth = call.depth + 1;
        let HostCall { origin, operation, payload, deadline, cancelled, .. } = *call;
        actor.call(&Invocation { origin, target: &target, operation, payload, deadline, cancelled, depth }, reply)
    }
}

/// Two callers that reach each other, with so many instances each.
fn pair(instances_max: u32) -> (Arc<ActorModule>, Arc<ActorModule>) {
    let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
    let actors = Arc::new(Actors::default());
    let wasm = built_guest("caller.wasm");
    let load = |name: &str| {
        let entity = WasmCloudEntity::Actor(name.to_owned());
        let spec = ActorSpec { entity, ..spec(&wasm, limits(instances_max)) };
        Arc::new(runtime.load(spec, Arc::clone(&actors) as Arc<dyn Outbound>).unwrap())
    };
    let (a, b) = (load("A"), load("B"));
    actors.0.set(HashMap::from([("A", Arc::downgrade(&a)), ("B", Arc::downgrade(&b))])).unwrap();
    (a, b)
}

/// The payload of `Forward`: a call, in MessagePack.
fn forward(namespace: &str, operation: &str, payload: &[u8]) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Call<'a> {
        namespace: &'a str,
        operation: &'a str,
        #[serde(with = "serde_bytes")]
        payload: &'a [u8],
    }
    rmp_serde::to_vec_named(&Call { namespace, operation, payload }).unwrap()
}

#[test]
fn a_calls_b_calls_a() {
    let (a, b) = pair(4);
    let payload = forward("B", "Forward", &forward("A", "Echo", b"through three"));
    assert_eq!(show(call(&*a, "Forward", &payload)), "ok through three");
    assert_eq!((a.instances(), b.instances()), ((2, 0), (1, 0)), "another instance of A served the inner call");
}

#[test]
fn a_cycle_ends_at_the_depth_limit_and_at_the_pool_limit() {
    let cycle = |turns: u32| {
        (0..turns).fold(b"the end".to_vec(), |inner, turn| {
            let operation = if turn == 0 { "Echo" } else { "Forward" };
            forward(if turn % 2 == 0 { "A" } else { "B" }, operation, &inner)
        })
    };
    let (a, _b) = pair(16);
    assert_eq!(show(call(&*a, "Forward", &cycle(15))), "ok the end");
    let shown = show(call(&*a, "Forward", &cycle(16)));
    assert!(shown.contains("refused: 16 nested calls are the limit"), "{shown}");

    let (a, _b) = pair(1);
    let begun = Instant::now();
    let payload = forward("B", "Forward", &forward("A", "Echo", b""));
    let shown = show(call_within(&*a, "Forward", &payload, Duration::from_millis(100)));
    assert!(shown.contains("ran out of fuel") || shown.contains("already serves its limit of 1"), "{shown}");
    assert!(begun.elapsed() < Duration::from_millis(400));
}

#[test]
fn errors_and_traps_of_a_callee_reach_the_guest_as_text() {
    let (a, _b) = pair(2);
    for (operation, payload, expected) in [
        ("Fail", &b"no such key"[..], "actor B answered Fail with an error: Guest call failed: no such key"),
        ("Nonsense", b"", "actor B answered Nonsense with an error: "),
    ] {
        let shown = show(call(&*a, "Forward", &forward("B", operation, payload)));
        assert!(shown.starts_with("actor_failed: actor A answered Forward with an error: "), "{shown}");
        assert!(shown.contains(expected), "{shown}");
    }
    let shown = show(call(&*a, "Forward", &forward("wasmcloud:keyvalue", "Get", b"")));
    assert!(shown.contains("The target wasmcloud:keyvalue was not found as an actor public key"), "{shown}");
    let large = vec![7; (1 << 20) - 200];
    assert!(call(&*a, "Forward", &forward("B", "Echo", &large)).unwrap() == large);
}

#[test]
fn a_panic_of_the_outbound_ends_the_call_and_not_the_host() {
    struct Panics;
    impl Outbound for Panics {
        fn host_call(&self, _: &HostCall<'_>, _: &mut Vec<u8>) -> Result<(), CallError> {
            panic!("on purpose")
        }
    }
    let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
    let wasm = built_guest("caller.wasm");
    let actor = runtime.load(spec(&wasm, limits(1)), Arc::new(Panics)).unwrap();
    let shown = show(call(&actor, "Forward", &forward("B", "Echo", b"")));
    assert_eq!(shown, "internal: internal error: actor MACTOR: __host_call panicked: on purpose");
    assert_eq!(show(call(&actor, "Echo", b"next")), "ok next");
}

/// A guest that loses its time to a host call, and has none left to say so, is not to blame; one that spends it is.
#[test]
fn whoever_took_the_time_is_late() {
    /// Takes a part of the time of each call: all of it in hundredths, and what comes after its deadline.
    struct Takes {
        hundredths: u32,
        over: Duration,
    }
    impl Outbound for Takes {
        fn host_call(&self, call: &HostCall<'_>, _: &mut Vec<u8>) -> Result<(), CallError> {
            let began = Deadline::now();
            let until = began.plus(call.deadline.since(began) * self.hundredths / 100).plus(self.over);
            while !until.expired() {
                std::hint::spin_loop();
            }
            let (target, operation) = ("provider VSLOW".to_owned(), call.operation.to_owned());
            let waited = Deadline::now().since(began);
            Err(CallError::DeadlineExceeded { target, operation, waited, outcome: Outcome::NotDelivered })
        }
    }
    let check = |guest: &str, operation: &str, takes: Takes, expected: &str| {
        let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
        let wasm = if guest.ends_with("wat") { wat_guest(guest) } else { built_guest(guest) };
        let actor = runtime.load(spec(&wasm, limits(1)), Arc::new(takes)).unwrap();
        let payload = forward("V", "Get", b"");
        let error = call_within(&actor, operation, &payload, Duration::from_millis(300)).unwrap_err();
        let shown = format!("{} {} {}", error.kind(), error.blame().as_str(), error.outcome().as_str());
        assert_eq!(shown, expected, "{operation}: {error}");
    };
    let all = || Takes { hundredths: 100, over: Duration::ZERO };
    let more = || Takes { hundredths: 100, over: Duration::from_millis(50) };
    check("caller.wasm", "Forward", all(), "actor_failed provider answered");
    check("caller.wasm", "Forward", more(), "deadline_exceeded provider unknown");
    check("faults.wat", "CallFlood", all(), "deadline_exceeded provider unknown");
    check("faults.wat", "CallFlood", Takes { hundredths: 0, over: Duration::ZERO }, "actor_trapped actor unknown");
}

#[test]
fn a_guest_ends_when_its_caller_goes() {
    let actor = load(&wat_guest("faults.wat"));
    let (origin, target) = (WasmCloudEntity::system(), WasmCloudEntity::Actor(ACTOR.into()));
    let cancelled = Cancelled::new();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while actor.instances().1 == 0 {
                std::thread::yield_now();
            }
            cancelled.set();
        });
        let (deadline, cancelled) = (Deadline::after(Duration::from_secs(60)), &cancelled);
        let (origin, target) = (&origin, &target);
        let invocation = Invocation { origin, target, operation: "Loop", payload: b"", deadline, cancelled, depth: 0 };
        actor.call(&invocation, &mut Vec::new()).unwrap_err()
    });
    assert_eq!(error.to_string(), "Loop of actor MACTOR was given up: its caller has gone");
    assert_eq!(show(call(&actor, "Ok", b"")), "ok ok");
}
