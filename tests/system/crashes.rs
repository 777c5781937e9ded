//! What is left of a provider that died: a report that names the cause, the place in its code and the calls it was
//! running, and that holds no secret.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use cofferdam_host::NativeCapability;
use cofferdam_host::crash::{COUNT_MAX, CrashReport, Ended, Reports, page};
use cofferdam_host::supervision::{RestartBudget, RestartPolicy};
use cofferdam_tests::process::{signal, until};
use cofferdam_tests::{Rig, artifacts};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const PROBE: &str = "cofferdam:probe";
const SECRET: &str = "hunter2-is-a-secret";

/// A host with a probe, and an actor that is linked to it by a secret.
struct Scene {
    rig: Rig,
    actor: String,
    probe: String,
}

impl Scene {
    async fn start() -> Self {
        Self::start_with(artifacts::provider("probe", PROBE)).await
    }

    async fn start_with(probe: NativeCapability) -> Self {
        let restart = RestartPolicy { budget: RestartBudget::None, ..RestartPolicy::default() };
        let rig = Rig::start_with(|builder| builder.with_restart_policy(restart)).await;
        let actor = rig.actor("caller", &[PROBE]).await;
        let probe = rig.start_provider(probe).await;
        rig.link(&actor, PROBE, &probe, &[("PASSWORD", SECRET)]).await.expect("it accepts");
        Self { rig, actor, probe }
    }

    fn reports(&self) -> Reports {
        Reports::of(&self.rig.folder.path().join("state"))
    }

    async fn ask(&self, operation: &str, payload: &Value) -> Result<Vec<u8>, String> {
        let answer = self.rig.forward(&self.actor, PROBE, operation, payload).await;
        answer.map_err(|error| error.to_string())
    }

    async fn die(&self, way: &str) {
        self.ask("Die", &json!(way)).await.expect_err("nobody answers from the dead");
    }

    /// Waits until there are so many reports, and reads the last.
    async fn last_of(&self, count: usize) -> CrashReport {
        let reports = self.reports();
        let mut ids = Vec::new();
        until("the report is written", async || {
            ids = reports.list().expect("the folder can be read");
            ids.len() >= count
        })
        .await;
        assert_eq!(ids.len(), count, "{ids:?}");
        reports.read(&ids[count - 1]).expect("what was written can be read")
    }

    /// Another call runs, and stays.
    async fn a_call_runs(&self) {
        until("a call runs", async || {
            let reached = self.ask("Reached", &Value::Null).await.expect("it answers");
            rmp_serde::from_slice::<Value>(&reached).expect("a map")["running"].as_u64() >= Some(2)
        })
        .await;
    }

    async fn stop(self) {
        self.rig.host.stop().await;
    }

    /// The page, without what differs from run to run. Of a backtrace the functions of the probe's `deaths.rs` stay.
    fn masked(&self, report: &CrashReport) -> String {
        let page = page(report).replace(&report.id, "ID").replace(&report.at, "NOW");
        let page = page.replace(&self.probe, "VPROBE").replace(&self.actor, "MCALLER");
        let mut lines: Vec<String> = page.lines().filter_map(masked_line).collect();
        // A stack that has overflowed is one function, many times.
        lines.dedup_by(|line, before| line == before && line.starts_with("    deaths::"));
        // Which of two streams is read first, is chance.
        let is_output = |line: &String| line.starts_with("    std") || line.starts_with("       log");
        if let Some(first) = lines.iter().position(is_output) {
            let count = lines[first..].iter().take_while(|line| is_output(line)).count();
            lines[first..first + count].sort_by_key(|line| !line.starts_with("    stdout"));
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }
}

/// Numbers become `#`.
fn masked_line(line: &str) -> Option<String> {
    let frame = line.starts_with("    ")
        && (line.contains("+0x") || line.contains("  ?  ") || line.starts_with("           at "));
    let line = line.split("  library+").next().unwrap_or(line);
    if frame {
        let (_, function) = line.split_once("::deaths::")?;
        return Some(format!("    deaths::{function}"));
    }
    // It came by another way, perhaps too late.
    if line.starts_with("       log  ") {
        return None;
    }
    // Whether there is a control group is up to the machine and the user, and has tests of its own.
    if line.starts_with("- memory that was charged") {
        return None;
    }
    let line =
        line.strip_suffix("not in force: control group").map_or(line.to_owned(), |line| format!("{line}complete"));
    let line = line.as_str();
    // Signals and system calls have numbers that say something.
    if line.contains("SIG") || line.contains("system call") || line.contains("exit code") {
        return Some(line.to_owned());
    }
    let mut masked = String::new();
    let mut number = false;
    for character in line.chars() {
        let digit =
            character.is_ascii_digit() || (number && (character.is_ascii_hexdigit() || matches!(character, 'x' | '.')));
        if digit && !number {
            masked.push('#');
        } else if !digit {
            masked.push(character);
        }
        number = digit;
    }
    Some(masked)
}

fn functions(report: &CrashReport) -> Vec<&str> {
    report.backtrace.frames.iter().filter_map(|frame| frame.function.as_deref()).collect()
}

async fn check(way: &str) {
    let scene = Scene::start().await;
    scene.ask("Say", &json!(format!("before the end: {SECRET}"))).await.expect("it speaks");
    scene.die(way).await;
    let report = scene.last_of(1).await;
    insta::assert_snapshot!(format!("crash-{way}"), scene.masked(&report));
    for extension in ["json", "md"] {
        let path = scene.reports().folder().join(format!("{}.{extension}", report.id));
        let text = fs::read_to_string(path).expect("it was written");
        assert!(!text.contains(SECRET), "{text}");
    }
    scene.stop().await;
}

macro_rules! ways {
    ($($way:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $way() {
                check(stringify!($way)).await;
            }
        )*
    };
}

ways!(segfault, stack_overflow, double_free, forbidden_call, fault_in_thread, overflow_in_thread);

#[tokio::test(flavor = "multi_thread")]
async fn the_backtrace_leads_to_the_place_in_the_source() {
    let scene = Scene::start().await;
    scene.die("segfault").await;
    let report = scene.last_of(1).await;
    let functions = functions(&report);
    let at = |name: &str| functions.iter().position(|function| function.contains(name));
    let place = (at("deaths::read_at"), at("outer_of_a_fault"), at("deaths::die"));
    assert!(place.0.is_some() && place.0 < place.1 && place.1 < place.2, "{functions:#?}");
    let source = report
        .backtrace
        .frames
        .iter()
        .find_map(|frame| frame.source.as_deref().filter(|source| source.contains("deaths.rs:")));
    assert!(source.is_some(), "{report:#?}");
    assert_eq!(report.fault.and_then(|fault| fault.address).as_deref(), Some("0x18"));
    assert_eq!(report.backtrace.remark, None, "nothing is missing");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripped_library_says_why_there_are_no_names() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let stripped: PathBuf = folder.path().join("stripped.so");
    let library = artifacts::programs().join("libcofferdam_probe.so");
    let strip = Command::new("strip").arg("--strip-all").arg("-o").arg(&stripped).arg(library).status();
    assert!(strip.expect("binutils are installed, as for every linker").success());
    let archive = artifacts::archive_of("stripped", PROBE, &fs::read(&stripped).expect("it was written"));
    let probe = NativeCapability::from_archive(&archive, None).expect("what was just signed verifies");
    let scene = Scene::start_with(probe).await;
    scene.die("segfault").await;
    let report = scene.last_of(1).await;
    let remark = report.backtrace.remark.clone().unwrap_or_default();
    assert!(remark.contains("stripped of its symbols"), "{report:#?}");
    let of_library = report.backtrace.frames.iter().filter(|frame| frame.module == "library").count();
    assert!(of_library >= 3 && functions(&report).iter().all(|name| !name.contains("::deaths")), "{report:#?}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_by_itself_or_is_killed_is_reported_without_a_place() {
    let scene = Scene::start().await;
    for (count, code) in [(1, 0), (2, 3)] {
        scene.rig.ready_pid(&scene.probe, count).await;
        scene.ask("Exit", &json!(code)).await.expect_err("nobody answers");
        let report = scene.last_of(count as usize).await;
        assert_eq!((report.ended.clone(), report.generation), (Ended::Code(code), count));
        assert!(report.fault.is_none() && report.backtrace.frames.is_empty(), "{report:#?}");
        assert_eq!(
            report.backtrace.remark.as_deref(),
            Some("there is none: it ended by itself, and no thread had met a signal")
        );
        assert!(report.resources.is_some_and(|used| used.memory_bytes_peak > 0));
    }
    let pid = scene.rig.ready_pid(&scene.probe, 3).await;
    signal(pid, Signal::SIGKILL);
    let report = scene.last_of(3).await;
    assert_eq!((report.ended.clone(), report.pid), (Ended::Signal("SIGKILL".to_owned()), Some(pid)));
    assert!(report.backtrace.remark.clone().is_some_and(|remark| remark.contains("killed")), "{report:#?}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_before_it_is_confined_is_reported_too() {
    let rig = Rig::start_with(|builder| builder.with_shim("/bin/false")).await;
    let probe = artifacts::provider("probe", PROBE);
    rig.host.start_native_capability(probe).await.expect_err("that is no shim");
    let reports = Reports::of(&rig.folder.path().join("state"));
    // Whoever is told of the failure can look for its report.
    let ids = reports.list().expect("the failure is told when its report is written");
    let report = reports.read(&ids[0]).expect("it is one");
    assert!(report.cause.contains("exited with code 1"), "{report:#?}");
    assert_eq!(report.backtrace.remark.as_deref(), Some("it ended before its library was loaded"));
    assert_eq!((report.pid, report.generation), (None, 1));
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_stops_when_its_reports_are_written() {
    let scene = Scene::start().await;
    let reports = scene.reports();
    scene.die("segfault").await;
    scene.rig.host.stop().await;
    let ids = reports.list().expect("the folder is there");
    assert_eq!(ids.len(), 1, "{ids:?}");
    let report = reports.read(&ids[0]).expect("it is one");
    assert!(functions(&report).iter().any(|name| name.contains("deaths::")), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_survives_and_what_it_was_told_is_no_crash() {
    let scene = Scene::start().await;
    scene.ask("PanicInThread", &Value::Null).await.expect("it goes on");
    scene.ask("Panic", &Value::Null).await.expect_err("the call fails");
    scene.ask("Echo", &Value::Null).await.expect("it goes on");
    scene.rig.host.stop().await;
    assert_eq!(scene.reports().list().expect("no folder is no report"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_and_before_are_named_without_their_payloads() {
    let scene = Scene::start().await;
    scene.ask("Echo", &json!("a-payload-that-is-nobodys-business")).await.expect("it answers");
    let (long, payload) = (json!(20_000), json!("segfault"));
    let waiting = scene.ask("Wait", &long);
    let dying = async {
        scene.a_call_runs().await;
        scene.ask("Die", &payload).await
    };
    let (waited, died) = tokio::join!(waiting, dying);
    assert!(waited.is_err() && died.is_err());
    let report = scene.last_of(1).await;
    let names =
        |calls: &[cofferdam_host::crash::Call]| calls.iter().map(|call| call.operation.clone()).collect::<Vec<_>>();
    assert_eq!(names(&report.calls_in_flight), ["Wait", "Die"]);
    assert_eq!(names(&report.calls_before).last().map(String::as_str), Some("Echo"));
    assert!(report.calls_in_flight.iter().all(|call| call.actor == scene.actor && call.deadline_ms.is_some()));
    let json = serde_json::to_string(&report).expect("a report is plain text");
    assert!(!json.contains("nobodys-business"), "{json}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_told_where_they_were_asked_for() {
    let way = json!("segfault");
    let whole = rmp_serde::to_vec(&way).expect("it can be packed");
    let (long, cut) = (json!(format!("{SECRET}, {}", "x".repeat(1000))), 64);
    let scene = Scene::start_with(artifacts::provider("probe", PROBE).with_crash_payloads(cut)).await;
    scene.ask("Echo", &json!("a-payload-that-is-nobodys-business")).await.expect("it answers");
    let hanging = scene.ask("Hang", &long);
    let dying = async {
        scene.a_call_runs().await;
        scene.ask("Die", &way).await
    };
    let (hung, died) = tokio::join!(hanging, dying);
    assert!(hung.is_err() && died.is_err());

    let report = scene.last_of(1).await;
    let payloads = report.calls_in_flight.iter().map(|call| call.payload.clone().expect("it was asked for"));
    let [hung, died] = payloads.collect::<Vec<_>>().try_into().expect("two calls in flight");
    assert_eq!((died.start, died.bytes, died.left_out), (whole.clone(), whole.len() as u64, 0));
    let packed = rmp_serde::to_vec(&long).expect("it can be packed");
    assert_eq!((hung.bytes, hung.left_out), (packed.len() as u64, (packed.len() - cut as usize) as u64));
    let text = String::from_utf8_lossy(&hung.start).into_owned();
    assert!(text.contains("…, xxx") && text.len() < cut as usize, "{text:?}");
    assert!(report.calls_before.iter().all(|call| call.payload.is_none()), "{report:#?}");
    let page = page(&report);
    assert!(page.contains("payload of 9 bytes\n        \\xa8segfault\n"), "{page}");
    assert!(page.contains("bytes, the last ") && !page.contains(SECRET), "{page}");
    scene.stop().await;
}

/// A process knows the values of earlier links for as long as it lives.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_process_once_knew_is_not_in_its_report() {
    let scene = Scene::start_with(artifacts::provider("probe", PROBE).with_crash_payloads(256)).await;
    let other = [("PASSWORD", "another-secret")];
    scene.rig.link(&scene.actor, PROBE, &scene.probe, &other).await.expect("it accepts");
    scene.ask("Say", &json!(SECRET)).await.expect("it speaks");
    let secret = json!(SECRET);
    let hanging = scene.ask("Hang", &secret);
    let dying = async {
        scene.a_call_runs().await;
        scene.die("segfault").await;
    };
    let (hung, ()) = tokio::join!(hanging, dying);
    assert!(hung.is_err());
    let report = scene.last_of(1).await;
    assert!(report.calls_in_flight.iter().any(|call| call.operation == "Hang"), "{report:#?}");
    for extension in ["json", "md"] {
        let path = scene.reports().folder().join(format!("{}.{extension}", report.id));
        let text = fs::read_to_string(path).expect("it was written");
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(report.calls_in_flight.iter().all(|call| {
        let start = call.payload.as_ref().map(|payload| String::from_utf8_lossy(&payload.start).into_owned());
        start.is_some_and(|start| !start.contains(SECRET))
    }));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_stay_within_their_bounds() {
    let scene = Scene::start().await;
    let reports = scene.reports();
    let model = {
        scene.die("segfault").await;
        scene.last_of(1).await
    };
    for number in 0..COUNT_MAX {
        let id = format!("1{number:06}");
        reports.write(&CrashReport { id, ..model.clone() }).expect("it can be written");
    }
    let pid = scene.rig.ready_pid(&scene.probe, 2).await;
    signal(pid, Signal::SIGKILL);
    until("the oldest has gone", async || {
        let ids = reports.list().expect("it can be read");
        ids.len() == COUNT_MAX && ids.last().is_some_and(|id| id.ends_with("-2"))
    })
    .await;
    scene.stop().await;
}
