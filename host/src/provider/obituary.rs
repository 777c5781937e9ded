//! From the death of a process to its report: what the kernel says, what the process left, what is known of its calls
//! and its output. No restart waits for a report; the end of a provider does.

use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use cofferdam_channel::protocol::crash::CrashRecord;
use cofferdam_channel::protocol::limits::RECORD_BYTES_MAX;
use cofferdam_channel::protocol::{Confinement, control};
use cofferdam_claims::printable;
use nix::libc;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::exit::{Exit, Usage};
use super::explain::explain;
use super::hidden::Hidden;
use super::tail::Tail;
use super::{ProviderSpec, Surroundings};
use crate::crash::{
    self, Backtrace, Call, CrashReport, Ended, Fault, Frame, REPORT_VERSION, Reports, Resources, SystemCall, Thread,
};
use crate::words::{Deadline, WasmCloudEntity};

/// Backtraces that are made in one period. A provider that crashes in a loop is to cost no more.
const EXPLANATIONS_MAX: usize = 4;
const PERIOD: Duration = Duration::from_secs(10);
/// How long a report waits for its backtrace, those before it among it.
const BACKTRACE_TIMEOUT: Duration = Duration::from_secs(20);

/// Takes reports of deaths, for all providers of a host.
#[derive(Debug)]
pub struct Crashes {
    reports: Reports,
    /// One is explained at a time.
    turn: Semaphore,
    explained: Mutex<VecDeque<Instant>>,
}

/// What a process leaves, taken from it before it is forgotten.
#[derive(Debug)]
pub(super) struct Remains {
    pub(super) pid: u32,
    pub(super) born: Deadline,
    pub(super) exit: Option<Exit>,
    pub(super) usage: Option<Usage>,
    pub(super) unconfined: Confinement,
    /// The pipe into which it wrote its record.
    pub(super) record: Option<OwnedFd>,
}

/// What is known of a death at its moment.
pub(super) struct Obituary {
    pub(super) spec: Arc<ProviderSpec>,
    pub(super) hidden: Hidden,
    pub(super) tail: Tail,
    /// By its own word.
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) cause: String,
    pub(super) decision: String,
    pub(super) in_flight: Vec<Call>,
    pub(super) before: Vec<Call>,
    /// How it ended, where nothing remains.
    pub(super) exit: Option<Exit>,
    /// None when it died before it was confined and greeted.
    pub(super) remains: Option<Remains>,
}

impl Crashes {
    /// Keeps them in a state directory.
    pub fn new(state_dir: &Path) -> Self {
        let (turn, explained) = (Semaphore::new(1), Mutex::default());
        Self { reports: Reports::of(state_dir), turn, explained }
    }

    /// Whether one more backtrace may be made now.
    fn may_explain(&self, now: Instant) -> bool {
        let mut explained = self.explained.lock();
        explained.retain(|then| now.duration_since(*then) < PERIOD);
        let may = explained.len() < EXPLANATIONS_MAX;
        if may {
            explained.push_back(now);
        }
        may
    }
}

impl Obituary {
    /// Makes the report and writes it.
    pub(super) async fn publish(mut self, surroundings: Surroundings) {
        let (at, died) = (SystemTime::now(), Deadline::now());
        let remains = self.remains.take();
        let mut report = self.begin(at);
        report.output = self.tail.whole().await;
        if let Some(mut remains) = remains {
            self.add(&mut report, &remains, died);
            let record = remains.record.take().map(read_record).unwrap_or_default();
            self.add_record(&mut report, &surroundings, record, remains.exit).await;
        } else {
            report.backtrace.remark = Some("it ended before its library was loaded".to_owned());
        }
        let (crashes, key) = (surroundings.crashes.clone(), self.spec.key.clone());
        let written = tokio::task::spawn_blocking(move || crashes.reports.write(&report).map(|()| report.id)).await;
        match written {
            Ok(Ok(id)) => tracing::info!(provider = %key, crash = id, "crash report written"),
            Ok(Err(error)) => tracing::error!(provider = %key, %error, "no crash report could be written"),
            Err(error) => tracing::error!(provider = %key, %error, "no crash report could be written"),
        }
    }

    fn begin(&self, at: SystemTime) -> CrashReport {
        let at = humantime::format_rfc3339_millis(at).to_string();
        let time: String = at.chars().filter(char::is_ascii_alphanumeric).collect();
        let contract = match &self.spec.entity {
            WasmCloudEntity::Capability { contract_id, .. } => contract_id.clone(),
            WasmCloudEntity::Actor(_) => String::new(),
        };
        let who: String = self.spec.key.id.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        CrashReport {
            version: REPORT_VERSION,
            id: format!("{time}-{who}-{}", self.generation),
            at,
            provider: crash::Provider {
                id: self.spec.key.id.clone(),
                link: self.spec.key.link_name.clone(),
                contract,
                name: self.shown(&self.name),
            },
            generation: self.generation,
            cause: self.shown(&self.cause),
            ended: ended(self.exit),
            decision: self.decision.clone(),
            calls_in_flight: self.calls(&self.in_flight),
            calls_before: self.calls(&self.before),
            ..CrashReport::default()
        }
    }

    /// Actors choose the names of operations, and may have been told secrets.
    fn calls(&self, calls: &[Call]) -> Vec<Call> {
        let shown = |call: &Call| Call {
            actor: self.shown(&call.actor),
            operation: self.shown(&call.operation),
            payload: call.payload.as_ref().map(|payload| self.hidden.taken_out_of_payload(payload)),
            ..call.clone()
        };
        calls.iter().map(shown).collect()
    }

    fn add(&self, report: &mut CrashReport, remains: &Remains, died: Deadline) {
        report.pid = Some(remains.pid);
        report.uptime_ms = Some(ms(died.since(remains.born)));
        report.ended = ended(remains.exit);
        report.resources = remains.usage.map(|usage| Resources {
            user_ms: ms(usage.user),
            system_ms: ms(usage.system),
            memory_bytes_peak: usage.memory_bytes_peak,
            group_memory_bytes_peak: usage.group_memory_bytes_peak,
            page_faults_major: usage.page_faults_major,
            page_faults_minor: usage.page_faults_minor,
        });
        report.unconfined = remains.unconfined.words().map(str::to_owned).collect();
    }

    async fn add_record(&self, report: &mut CrashReport, around: &Surroundings, record: Vec<u8>, exit: Option<Exit>) {
        let read = match CrashRecord::read(&record) {
            _ if record.is_empty() => Err(no_record(exit).to_owned()),
            Err(error) => Err(format!("what it left is no record: {error}")),
            Ok(read) => Ok(read),
        };
        report.backtrace = match read {
            Err(why) => Backtrace { frames: Vec::new(), remark: Some(self.shown(&why)) },
            Ok(read) => {
                report.fault = Some(self.fault(&read));
                // Its stack is looked at by another process, and forgotten with it.
                drop(read);
                self.backtrace(around, record).await
            }
        };
    }

    async fn backtrace(&self, around: &Surroundings, record: Vec<u8>) -> Backtrace {
        let nothing = |why: String| Backtrace { frames: Vec::new(), remark: Some(why) };
        if !around.crashes.may_explain(Instant::now()) {
            return nothing(format!(
                "left out: {EXPLANATIONS_MAX} backtraces were made within {PERIOD:?}, and no more are"
            ));
        }
        let explaining = async {
            // Never closed.
            let _turn = around.crashes.turn.acquire().await;
            explain(around, &self.spec.sandbox, &self.spec.library, record).await
        };
        // Whatever is slow: there is a report.
        match tokio::time::timeout(BACKTRACE_TIMEOUT, explaining).await {
            Err(_) => nothing(format!("left out: it took more than {BACKTRACE_TIMEOUT:?}")),
            Ok(Err(why)) => nothing(self.shown(&why)),
            Ok(Ok(control::Backtrace { frames, remark })) => Backtrace {
                frames: frames.into_iter().map(|frame| self.frame(frame)).collect(),
                remark: remark.map(|remark| self.shown(&remark)),
            },
        }
    }

    fn frame(&self, frame: control::Frame) -> Frame {
        let control::Frame { address, module, offset, function, source, inlined } = frame;
        Frame {
            address: format!("{address:#x}"),
            module: self.shown(&module),
            offset: format!("{offset:#x}"),
            function: function.map(|function| self.shown(&function)),
            source: source.map(|source| self.shown(&source)),
            inlined,
        }
    }

    fn fault(&self, record: &CrashRecord) -> Fault {
        let fault = &record.fault;
        let signal = fault.signal.cast_signed();
        let has_address =
            matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE) && fault.code > 0;
        let overflowed = signal == libc::SIGSEGV && fault.code > 0 && is_near(fault.address, fault.sp);
        let why = crash::why(signal, fault.code);
        Fault {
            signal: crash::signal_name(signal),
            why: if overflowed { format!("{why}; most likely the stack has overflowed") } else { why.to_owned() },
            address: has_address.then(|| format!("{:#x}", fault.address)),
            pc: format!("{:#x}", fault.pc),
            thread: Thread { id: fault.thread, name: self.shown(&record.thread_name()) },
            system_call: (fault.system_call >= 0).then(|| SystemCall {
                number: fault.system_call,
                name: crash::system_call_name(fault.system_call).map(str::to_owned),
            }),
        }
    }

    /// Foreign words, without the values of links, printable, and on one line.
    fn shown(&self, words: &str) -> String {
        printable(&self.hidden.taken_out_of(words))
    }
}

/// None is what the host ended.
fn ended(exit: Option<Exit>) -> Ended {
    match exit {
        Some(Exit::Code(code)) => Ended::Code(code),
        Some(Exit::Signal(signal)) => Ended::Signal(signal.as_str().to_owned()),
        Some(Exit::OutOfMemory { .. }) => Ended::Signal(Signal::SIGKILL.as_str().to_owned()),
        Some(Exit::Unknown) => Ended::Unknown,
        None => Ended::ByTheHost,
    }
}

/// A fault at the stack pointer, or a little below it, where the next frame would have been.
const fn is_near(address: u64, sp: u64) -> bool {
    address.abs_diff(sp) < 64 << 10
}

fn no_record(exit: Option<Exit>) -> &'static str {
    match exit {
        Some(Exit::Code(_)) => "there is none: it ended by itself, and no thread had met a signal",
        None => "there is none: the host ended it",
        Some(Exit::OutOfMemory { .. }) => "there is none: nothing can be left by a process that the kernel kills",
        Some(Exit::Signal(Signal::SIGKILL)) => {
            "there is none: nothing can be left by a process that is killed, be it by an operator or for want of memory"
        }
        Some(Exit::Signal(signal)) if crash::is_recorded(signal as i32) => {
            "there is none: the process left no record. Most likely the stack of a thread overflowed that the library \
             started by itself, and that has no second one on which to write it; or the library has taken the handler away"
        }
        Some(Exit::Signal(_) | Exit::Unknown) => "there is none: such a signal leaves no record",
    }
}

/// What lies in the pipe. Nobody writes to it any more who is waited for.
fn read_record(pipe: OwnedFd) -> Vec<u8> {
    let mut record = Vec::new();
    // It ends with an error when a process of the group still has the other end; what was read stays.
    let _ = std::fs::File::from(pipe).take(RECORD_BYTES_MAX as u64).read_to_end(&mut record);
    record
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
