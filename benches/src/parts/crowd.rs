//! Many actors at once, each with one call of 64 bytes in flight: calls a second, next to as many callers of gRPC, and what
//! the least of them got.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::callers::{Callers, echoes};
use crate::peers::grpc::Grpc;
use crate::rounds::{ROUNDS, pause, rounds};
use crate::row::{Row, Unit};

const ROUND: Duration = Duration::from_millis(200);
/// Between two looks whether all have begun: who looks takes no processor from them.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// Calls that a guest makes before they are counted: so many that the way into the guest is little next to them.
const BATCH: u32 = 100;
/// No actor gets less than this part of what all get on the average.
const FAIR_SHARE_MIN: f64 = 0.25;

pub(crate) fn measure() -> Vec<Row> {
    [(16, 15.0), (64, 10.0)].into_iter().flat_map(|(actors, ratio_min)| crowd(actors, ratio_min)).collect()
}

fn crowd(actors: usize, ratio_min: f64) -> [Row; 2] {
    let runtime = Runtime::new().expect("a runtime");
    let grpc = Grpc::start(&runtime);
    let callers = Callers::start(actors, |builder| builder);
    // Of all rounds together: in one of them, an actor makes few batches.
    let mut made = vec![0; actors];
    let samples = rounds("calls at once", ROUNDS, || {
        let peer = calls_of_grpc(&runtime, &grpc, actors);
        let ours = calls_of_actors(&callers);
        made.iter_mut().zip(ours.made).for_each(|(all, one)| *all += one);
        [peer.a_second, ours.a_second]
    });
    let [peer, ours] = samples.medians();
    let fair = made.iter().sum::<u64>() as f64 / actors as f64;
    let least = made.into_iter().min().unwrap_or_default() as f64 / fair;
    [
        Row::new(format!("{actors} actors at once"), Unit::PerSecond, ours)
            .against(format!("gRPC, {actors} callers"), peer)
            .at_least(ratio_min),
        Row::new(format!("the least of {actors}, of its fair share"), Unit::Part, least).at_least(FAIR_SHARE_MIN),
    ]
}

/// What came of one round.
struct Calls {
    a_second: f64,
    /// By each caller.
    made: Vec<u64>,
}

/// Counts calls of many tasks for the time of a round.
struct Counting {
    counts: Arc<Vec<AtomicU64>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// What one of the tasks holds.
struct Turn {
    counts: Arc<Vec<AtomicU64>>,
    stop: Arc<AtomicBool>,
    caller: usize,
}

impl Turn {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Acquire)
    }

    fn made(&self, calls: u32) {
        self.counts[self.caller].fetch_add(calls.into(), Ordering::AcqRel);
    }
}

impl Counting {
    fn of(callers: usize) -> Self {
        let counts = Arc::new((0..callers).map(|_| AtomicU64::new(0)).collect());
        Self { counts, stop: Arc::default(), tasks: JoinSet::new() }
    }

    fn turn(&self, caller: usize) -> Turn {
        Turn { counts: self.counts.clone(), stop: self.stop.clone(), caller }
    }

    /// Counts once all have begun.
    fn end(mut self, runtime: &Runtime) -> Calls {
        while self.now().contains(&0) {
            pause(LOOK_AGAIN);
        }
        let (before, began) = (self.now(), Instant::now());
        pause(ROUND);
        let (after, took) = (self.now(), began.elapsed());
        self.stop.store(true, Ordering::Release);
        runtime.block_on(async { while self.tasks.join_next().await.transpose().expect("no panic").is_some() {} });
        let made: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        Calls { a_second: made.iter().sum::<u64>() as f64 / took.as_secs_f64(), made }
    }

    fn now(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.load(Ordering::Acquire)).collect()
    }
}

fn calls_of_actors(callers: &Callers) -> Calls {
    let mut counting = Counting::of(callers.actors.len());
    for (index, actor) in callers.actors.iter().enumerate() {
        let (host, actor, batch, turn) = (callers.rig.host.clone(), actor.clone(), echoes(BATCH), counting.turn(index));
        let calls = async move {
            while turn.goes_on() {
                host.call_actor(&actor, "Forward", &batch).await.expect("the calls succeed");
                turn.made(BATCH);
            }
        };
        counting.tasks.spawn_on(calls, callers.runtime.handle());
    }
    counting.end(&callers.runtime)
}

fn calls_of_grpc(runtime: &Runtime, grpc: &Grpc, callers: usize) -> Calls {
    let mut counting = Counting::of(callers);
    for index in 0..callers {
        let (mut caller, turn) = (grpc.caller(), counting.turn(index));
        let calls = async move {
            while turn.goes_on() {
                caller.call().await;
                turn.made(1);
            }
        };
        counting.tasks.spawn_on(calls, runtime.handle());
    }
    counting.end(runtime)
}
