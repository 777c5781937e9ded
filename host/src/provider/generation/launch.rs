//! From nothing to a process that was told what to load. The time of each step is time of every start: what the process
//! waits for comes first.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;

use cofferdam_channel::lane::{self, Class, Layout, Region};
use cofferdam_channel::protocol::control::{HostMessage, Setting};
use cofferdam_channel::protocol::{Confinement, Features, HostHello};
use cofferdam_channel::{Deadline, Server, ServerConfig, socket};
use nix::fcntl::OFlag;
use nix::unistd::{Pid, pipe2};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::{LAST_WORDS_MAX, Process};
use crate::provider::actor_calls::ActorCalls;
use crate::provider::asks::Asks;
use crate::provider::child::{Alive, Child, Unwatched};
use crate::provider::control::{ControlError, Receiver};
use crate::provider::exit::Exit;
use crate::provider::grants::Asker;
use crate::provider::greeting::{self, Delivery, FirstWords, Greeted, Rules};
use crate::provider::group::Group;
use crate::provider::hidden::Hidden;
use crate::provider::outbox::{BrokenTo, Outbox};
use crate::provider::output::{self, Source};
use crate::provider::spawner::{Awaited, Spawned};
use crate::provider::tail::Tail;
use crate::provider::{ProviderSpec, Surroundings, Tier};
use crate::supervision::Generation;

/// Why there is no process that was told what to load.
#[derive(Debug)]
pub(in crate::provider) struct NotLaunched {
    /// What happened, for people.
    pub(in crate::provider) why: String,
    /// How the process ended, if there was one and it ended by itself.
    pub(in crate::provider) exit: Option<Exit>,
}

impl NotLaunched {
    fn by_system(act: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::because(format!("{act}: {error}"))
    }

    fn because(why: String) -> Self {
        Self { why, exit: None }
    }

    /// The processes of the start are ended. Whether one had ended by itself says more than what the host saw of it.
    async fn after((group, awaited): (Unwatched, Awaited), (act, before): (&str, &str), error: &ControlError) -> Self {
        // Whoever starts processes moves on before the group is removed.
        drop(awaited);
        match group.end().await {
            Some(exit) => Self { why: format!("its process {exit} before it was {before}"), exit: Some(exit) },
            None => Self::because(format!("{act} failed: {error}")),
        }
    }
}

/// What a process is going to have besides its control socket, with our ends and its.
struct Ends {
    down: StdStream,
    up: StdStream,
    /// Where calls go instead, if it knows how.
    lanes: Option<Lanes>,
    /// What it leaves when a signal ends it.
    record: OwnedFd,
    theirs: Theirs,
    broken_to: BrokenTo,
    broken: mpsc::Receiver<String>,
}

/// The memory of both directions.
#[derive(Clone)]
struct Lanes {
    down: Arc<Region>,
    up: Arc<Region>,
}

struct Theirs {
    lanes: Option<Lanes>,
    down: StdStream,
    up: StdStream,
    crash: OwnedFd,
}

impl Ends {
    fn make(spec: &ProviderSpec, surroundings: &Surroundings) -> Result<Self, NotLaunched> {
        let system = NotLaunched::by_system;
        let (down, down_theirs) = socket::pair().map_err(system("making its socket for calls"))?;
        let (up, up_theirs) = socket::pair().map_err(system("making its socket for calls to actors"))?;
        let (broken_to, broken) = BrokenTo::channel();
        let (record, crash) =
            pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(|errno| system("making a pipe")(errno.into()))?;
        let lanes = lanes(spec, surroundings).transpose().map_err(system("making the memory for its calls"))?;
        let theirs = Theirs { lanes: lanes.clone(), down: down_theirs, up: up_theirs, crash };
        Ok(Self { down, up, lanes, record, theirs, broken_to, broken })
    }
}

impl Process {
    /// Starts a process, greets it and tells it what to load.
    pub(in crate::provider) async fn launch(
        spec: &ProviderSpec,
        surroundings: &Surroundings,
        (hidden, tail): (&Hidden, &Tail),
        (generation, alive): (Generation, Alive),
    ) -> Result<Self, NotLaunched> {
        let system = NotLaunched::by_system;
        let born = Deadline::now();
        let (ours, theirs) = socket::pair().map_err(system("making its control socket"))?;
        let rules = Rules { generation, hello: rules(spec), confine: spec.sandbox.order(Some(&spec.state_dir)) };
        let prepared = greeting::prepare(ours, rules).map_err(io::Error::other);
        let (mut stream, words) = prepared.map_err(system("preparing its control socket"))?;
        let (theirs, watched) = ((theirs.into(), words), (spec.sandbox.bounds(), alive));
        let spawned = surroundings.spawner.spawn(&surroundings.shim, theirs, watched).await;
        let Spawned { group, awaited, stdout, stderr, unbounded, words } = spawned
            .map_err(|error| NotLaunched::because(format!("starting {}: {error}", surroundings.shim.display())))?;
        let Ends { down, up, lanes, record, theirs, broken_to, broken } = Ends::make(spec, surroundings)?;

        let met = meet((&mut stream, words), (spec, generation), &group, theirs).await;
        let pid = met.as_ref().map_or(group.leader(), |met| met.pid.as_raw().cast_unsigned());
        for (name, stream) in [("stdout", stdout.into()), ("stderr", stderr.into())] {
            let source = Source { name, provider: spec.key.clone(), pid, tail: tail.clone() };
            tail.read_by(tokio::spawn(output::drain(stream, source, hidden.clone())));
        }
        let Met { pid, missing, has_lanes, delivered } = match met {
            Ok(met) => met,
            Err(error) => {
                return Err(NotLaunched::after((group, awaited), ("greeting its process", "greeted"), &error).await);
            }
        };
        if !spec.sandbox.accepts(missing) {
            let why =
                unbounded.map(|why| format!("; no control group: {why}; {}", why.next_step())).unwrap_or_default();
            return Err(NotLaunched::because(format!("its process is not confined by: {missing}{why}")));
        }
        if let Err(error) = delivered {
            return Err(
                NotLaunched::after((group, awaited), ("telling its process what to load", "told"), &error).await
            );
        }
        let child = Child::watch(pid, group).map_err(system("watching its process"))?;
        let lanes = lanes.filter(|_| has_lanes);
        let (lanes_down, lanes_up) = lanes.map_or((None, None), |lanes| (Some(lanes.down), Some(lanes.up)));
        let server = serve_actor_calls(spec, surroundings, (up, lanes_up.clone()), &broken_to);
        let server = server.map_err(system("serving its calls to actors"))?;
        let control = Arc::new(stream);
        drop(awaited);
        Ok(Self {
            child,
            born,
            started_in: None,
            record: Some(record),
            missing,
            outbox: Outbox::open(control.clone(), broken_to.clone()),
            control,
            receiver: Receiver::new(),
            down: Some(down),
            lanes: lanes_down,
            line: None,
            server,
            broken,
            broken_to,
            asks: Asks::new(asker(spec, (hidden, lanes_up), missing)),
            calls_max: spec.calls_max,
            payload_bytes_max: spec.limits.payload_bytes_max,
            ending: None,
            ended: None,
            last_words_left: LAST_WORDS_MAX,
        })
    }
}

/// A process that has said what confines it.
struct Met {
    pid: Pid,
    /// What it should be confined by, and is not.
    missing: Confinement,
    /// It is called in lanes.
    has_lanes: bool,
    delivered: Result<(), ControlError>,
}

/// Greets the process, and tells it what to load if it may be told.
async fn meet(
    (stream, words): (&mut UnixStream, FirstWords),
    (spec, generation): (&ProviderSpec, Generation),
    group: &Group,
    mut theirs: Theirs,
) -> Result<Met, ControlError> {
    let Greeted { features, hello, pid } = greeting::greet(stream, words, generation).await?;
    let missing = spec.sandbox.missing(group.confined_by(hello.confinement));
    // Whoever is none of ours is refused when it is to be watched.
    let may_be_told = spec.sandbox.accepts(missing) && group.has(pid);
    theirs.lanes = theirs.lanes.filter(|_| features.contains(Features::LANES));
    let has_lanes = theirs.lanes.is_some();
    // First of all, because the process waits for it.
    let delivered = if may_be_told { deliver(stream, spec, theirs).await } else { Ok(()) };
    // The kernel may have put it on this very processor, and the rest of this can wait.
    std::thread::yield_now();
    Ok(Met { pid, missing, has_lanes, delivered })
}

async fn deliver(stream: &UnixStream, spec: &ProviderSpec, theirs: Theirs) -> Result<(), ControlError> {
    let Theirs { lanes, down, up, crash } = theirs;
    if let Some(memory) = lanes.as_ref().and_then(|lanes| lanes.down.memory().zip(lanes.up.memory())) {
        greeting::tell(stream, HostMessage::Lanes, &[memory.0, memory.1]).await?;
    }
    greeting::deliver(stream, Delivery { env: env(spec), library: &spec.library, down, up, crash }).await
}

/// The variables that were granted, and no others.
fn env(spec: &ProviderSpec) -> Vec<Setting> {
    let setting = |(name, value): &(String, String)| Setting { name: name.clone(), value: value.clone() };
    spec.authority.env().iter().map(setting).collect()
}

fn asker(spec: &ProviderSpec, (hidden, mailboxes): (&Hidden, Option<Arc<Region>>), missing: Confinement) -> Asker {
    let authority = spec.authority.clone();
    let landlock = !missing.contains(Confinement::LANDLOCK_FILES);
    Asker { handed: authority.begin(), authority, hidden: hidden.clone(), landlock, mailboxes }
}

fn rules(spec: &ProviderSpec) -> HostHello {
    HostHello {
        payload_bytes_max: spec.limits.payload_bytes_max,
        calls_max: spec.calls_max,
        actor_calls_max: spec.calls_max,
    }
}

/// The memory of both directions: for each call that may be in flight one lane with a small slab, and some with large ones.
/// Pages that no call has touched take no memory.
fn lanes(spec: &ProviderSpec, surroundings: &Surroundings) -> Option<io::Result<Lanes>> {
    const SMALL_BYTES: u32 = 64 << 10;
    const MIDDLE: Class = Class { lanes: 8, slab_bytes: 1 << 20 };
    const LARGE: u32 = 2;
    let payload_bytes_max = spec.limits.payload_bytes_max;
    let classes = [
        Class { lanes: spec.calls_max, slab_bytes: SMALL_BYTES.min(payload_bytes_max) },
        MIDDLE,
        Class { lanes: LARGE, slab_bytes: payload_bytes_max },
    ];
    // Without those that are no larger than what the limit allows.
    let grow = |class: &Class| class.slab_bytes < payload_bytes_max;
    let classes: Vec<Class> = classes[..2].iter().copied().filter(grow).chain([classes[2]]).collect();
    let layout = (surroundings.tier == Tier::Lanes).then(|| Layout::new(&classes)).flatten()?;
    let make = || Region::make(layout.clone()).map(Arc::new);
    Some(make().and_then(|down| Ok(Lanes { down, up: make()? })))
}

fn serve_actor_calls(
    spec: &ProviderSpec,
    surroundings: &Surroundings,
    (up, lanes): (StdStream, Option<Arc<Region>>),
    broken_to: &BrokenTo,
) -> io::Result<Server> {
    let service = Arc::new(ActorCalls { origin: spec.entity.clone(), inbound: surroundings.inbound.clone() });
    let config = ServerConfig {
        running_max: spec.calls_max as usize,
        payload_bytes_max: spec.limits.payload_bytes_max,
        name: "actor-call".to_owned(),
        run_in: |run| run(),
    };
    match lanes {
        Some(lanes) => lane::serve(lanes, service, config, broken_to.on_broken("its memory for calls to actors")),
        None => socket::serve(up, service, config, broken_to.on_broken("its socket for calls to actors")),
    }
}
