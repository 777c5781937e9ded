//! The whole table, state by event, as one golden file; how restarts are spaced; when a provider is held, and how a hold
//! ends; how hung ones are found.

use std::fmt::Write as _;

use super::*;

const NOW: Deadline = Deadline::from_monotonic_ns(1_000_000_000_000);
const GENERATION: Generation = Generation(7);

fn at(seconds: u64) -> Deadline {
    NOW.plus(Duration::from_secs(seconds))
}

fn states() -> Vec<(&'static str, State)> {
    let generation = GENERATION;
    let starting = |attempt| State::Starting { generation, until: at(15), attempt };
    let draining = |then| State::Draining { generation, until: at(2), then };
    let held = |why, retry| State::Held { generation, why, retry };
    vec![
        ("Stopped", State::Stopped),
        ("Starting (first)", starting(Attempt::First)),
        ("Starting (again)", starting(Attempt::Again)),
        ("Starting (probe)", starting(Attempt::Probe)),
        ("Ready", State::Ready { generation, since: NOW, probation: None }),
        ("Ready (probe)", State::Ready { generation, since: NOW, probation: Some(at(30)) }),
        ("Ready (proved)", State::Ready { generation, since: NOW, probation: Some(NOW) }),
        ("Draining (stop)", draining(Then::Stop)),
        ("Draining (hold)", draining(Then::Hold)),
        ("Draining (restart)", draining(Then::Restart)),
        ("Backoff", State::Backoff { generation, until: at(1) }),
        ("Held (crashes)", held(Hold::Crashes { count: 5, window: Duration::from_secs(60) }, Some(at(60)))),
        ("Held (operator)", held(Hold::Operator, None)),
    ]
}

const EVENTS: [Event; 12] = [
    Event::Start,
    Event::Loaded,
    Event::Failed,
    Event::Exited(End::Clean),
    Event::Exited(End::Crash),
    Event::Broken,
    Event::Hung,
    Event::Stop,
    Event::Hold,
    Event::Release,
    Event::Restart,
    Event::Timer,
];

/// A state in a few words, its times as seconds from now.
fn shown(state: State) -> String {
    let seconds = |at: Deadline| format!("+{:?}", at.since(NOW));
    match state {
        State::Stopped => "Stopped".to_owned(),
        State::Starting { generation, attempt, .. } => format!("Starting {} {attempt:?}", generation.0),
        State::Ready { generation, probation, .. } => {
            let probation = probation.map(|over| format!(" probe {}", seconds(over))).unwrap_or_default();
            format!("Ready {}{probation}", generation.0)
        }
        State::Draining { generation, then, .. } => format!("Draining {} {then:?}", generation.0),
        State::Backoff { generation, until } => format!("Backoff {} {}", generation.0, seconds(until)),
        State::Held { generation, why, retry } => {
            let retry = retry.map(|retry| format!(" retry {}", seconds(retry))).unwrap_or_default();
            format!("Held {} {why:?}{retry}", generation.0)
        }
    }
}

/// Every state by every event, with the policy: one line each.
fn table(timing: &Timing, crashes_before: u32) -> String {
    let mut table = String::new();
    for (name, state) in states() {
        for event in EVENTS {
            let mut supervision = Supervision::default();
            for _ in 0..crashes_before {
                supervision.died(GENERATION, Attempt::Again, Event::Broken, Moment { now: NOW, timing, jitter: 0.0 });
            }
            supervision.state = state;
            let effects = supervision.step(event, NOW, timing, 0.0);
            let effects: Vec<String> = effects
                .iter()
                .map(|effect| format!("{effect:?}").split([' ', '(']).next().unwrap_or_default().to_owned())
                .collect();
            let next = if supervision.state == state { "=".to_owned() } else { shown(supervision.state) };
            let line = format!("{name:18} {:13} {next:52} {}", format!("{event:?}"), effects.join(", "));
            let _ = writeln!(table, "{}", line.trim_end());
        }
        table.push('\n');
    }
    table
}

#[test]
fn every_event_in_every_state() {
    insta::assert_snapshot!("table", table(&Timing::default(), 1));
}

/// Where policies and budgets make a difference, and nowhere else.
#[test]
fn every_event_in_every_state_under_other_policies() {
    let with = |restart| Timing { restart, ..Timing::default() };
    let default = RestartPolicy::default();
    let plain = table(&Timing::default(), 1);
    let mut differences = String::new();
    for (what, timing, crashes) in [
        ("never", with(RestartPolicy { restart: Restart::Never, ..default }), 1),
        ("on-failure", with(RestartPolicy { restart: Restart::OnFailure, ..default }), 1),
        ("the fifth crash", with(default), 4),
        ("no budget, the fifth crash", with(RestartPolicy { budget: RestartBudget::None, ..default }), 4),
    ] {
        let _ = writeln!(differences, "{what}:");
        let other = table(&timing, crashes);
        for (line, _) in other.lines().zip(plain.lines()).filter(|(line, plain)| line != plain) {
            let _ = writeln!(differences, "  {line}");
        }
    }
    insta::assert_snapshot!("policies", differences);
}

/// No sequence of events leads to a state that nobody drew, starts two processes at once, or forgets one.
#[test]
fn no_path_leaves_a_process_behind() {
    let timing = Timing::default();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).expect("below is small")
    };
    for _ in 0..2000 {
        let (mut supervision, mut now, mut lives, mut last) = (Supervision::default(), NOW, false, 0);
        for _ in 0..60 {
            let event = EVENTS[random(EVENTS.len())];
            now = match (event, supervision.timer()) {
                (Event::Timer, Some(due)) => due,
                (Event::Timer, None) => continue,
                _ => now.plus(Duration::from_millis(random(5000) as u64)),
            };
            if matches!(event, Event::Exited(_)) && !lives {
                continue;
            }
            for effect in supervision.step(event, now, &timing, 0.5) {
                match effect {
                    Effect::Spawn(generation) => {
                        assert!(!lives, "a second process was started");
                        assert!(generation.0 == last + 1 || last == 0 && generation.0 == 1, "{generation:?}");
                        (lives, last) = (true, generation.0);
                    }
                    Effect::Kill => lives = false,
                    Effect::FailCalls => lives &= !matches!(event, Event::Exited(_)),
                    Effect::SendDrain { .. } | Effect::Open => assert!(lives, "{effect:?} without a process"),
                }
            }
            let has_process =
                matches!(supervision.state(), State::Starting { .. } | State::Ready { .. } | State::Draining { .. });
            assert_eq!(lives, has_process, "{event:?} led to {:?}", supervision.state());
            if supervision.state() == State::Stopped {
                (supervision, last) = (Supervision::default(), 0);
            }
        }
    }
}

#[test]
fn restarts_come_at_once_then_ever_later_and_again_at_once_after_health() {
    let restart = RestartPolicy { budget: RestartBudget::None, ..RestartPolicy::default() };
    let timing = Timing { restart, ..Timing::default() };
    let mut supervision = Supervision::default();
    let mut now = NOW;
    supervision.step(Event::Start, now, &timing, 0.0);
    let mut delays_ms = Vec::new();
    for crash in 1..=12 {
        supervision.step(Event::Loaded, now, &timing, 0.0);
        let ready = State::Ready { generation: Generation(crash), since: now, probation: None };
        assert_eq!(supervision.state(), ready);
        supervision.step(Event::Exited(End::Crash), now, &timing, 0.0);
        let due = supervision.timer().unwrap();
        delays_ms.push(due.since(now).as_millis());
        now = due;
        assert_eq!(supervision.step(Event::Timer, now, &timing, 0.0), [Effect::Spawn(Generation(crash + 1))]);
    }
    assert_eq!(delays_ms, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    assert_eq!(supervision.restarts(), 12);

    supervision.step(Event::Loaded, now, &timing, 0.0);
    now = now.plus(timing.restart.healthy_after);
    supervision.step(Event::Exited(End::Crash), now, &timing, 0.0);
    assert_eq!(supervision.timer(), Some(now), "after health the first restart comes at once");
}

/// Crashes at these seconds; at which of them the provider is held.
#[test]
fn a_budget_counts_the_crashes_of_its_window() {
    for (crashes, held) in [
        (&[0, 1, 2, 3, 4][..], Some(4)),
        (&[0, 1, 2, 3], None),
        (&[0, 20, 40, 59, 59], Some(59)),
        (&[0, 20, 40, 59, 60], None),
        (&[0, 31, 62, 93, 124, 155], None),
    ] {
        let mut record = Record::default();
        let found = crashes.iter().find(|second| {
            let died = record.died((Attempt::Again, End::Crash), at(**second), &RestartPolicy::default(), 0.0);
            matches!(died, Verdict::Hold { why: Hold::Crashes { count: 5, .. }, cool_down: Some(_) })
        });
        assert_eq!(found.copied(), held, "{crashes:?}");
    }
}

/// Held, tried, held for longer, tried, healthy: over.
#[test]
fn a_hold_ends_with_a_probe_that_stays_healthy() {
    let timing = Timing::default();
    let mut supervision = Supervision::default();
    let mut now = NOW;
    supervision.step(Event::Start, now, &timing, 0.0);
    while !matches!(supervision.state(), State::Held { .. }) {
        supervision.step(Event::Loaded, now, &timing, 0.0);
        supervision.step(Event::Exited(End::Crash), now, &timing, 0.0);
        now = supervision.timer().unwrap();
        if matches!(supervision.state(), State::Backoff { .. }) {
            supervision.step(Event::Timer, now, &timing, 0.0);
        }
    }
    let mut held_s = Vec::new();
    for _ in 0..6 {
        supervision.step(Event::Timer, now, &timing, 0.0);
        assert!(matches!(supervision.state(), State::Starting { attempt: Attempt::Probe, .. }));
        supervision.step(Event::Loaded, now, &timing, 0.0);
        let died = now.plus(timing.restart.healthy_after / 2);
        supervision.step(Event::Exited(End::Crash), died, &timing, 0.0);
        now = supervision.timer().unwrap();
        held_s.push(now.since(died).as_secs());
    }
    assert_eq!(held_s, [120, 240, 480, 600, 600, 600]);

    supervision.step(Event::Timer, now, &timing, 0.0);
    supervision.step(Event::Loaded, now, &timing, 0.0);
    now = supervision.timer().unwrap();
    assert_eq!(supervision.step(Event::Timer, now, &timing, 0.0), []);
    assert!(matches!(supervision.state(), State::Ready { probation: None, .. }));
    supervision.step(Event::Exited(End::Crash), now, &timing, 0.0);
    assert_eq!(supervision.timer(), Some(now), "as if nothing had been");
}

/// What happens to a process, second by second: `.` nothing, `+` it answers, `!` it complains, `S` all workers are stuck,
/// `I` calls wait and none is taken.
fn beats(script: &str) -> String {
    let mut heartbeat = Heartbeat::new(HealthPolicy::default());
    let (mut now, mut told, mut asked) = (NOW, String::new(), 0);
    heartbeat.begin(now);
    for what in script.chars() {
        now = now.plus(Duration::from_secs(1));
        let mut beats = match what {
            '+' => vec![heartbeat.answered(asked, None)],
            '!' => vec![heartbeat.answered(asked, Some("no disk".to_owned()))],
            _ => Vec::new(),
        };
        while heartbeat.timer().is_some_and(|due| due <= now) && beats.len() < 4 {
            let burden = Burden { stuck: if what == 'S' { 4 } else { 3 }, at_once: 4, ignored: what == 'I' };
            beats.push(Ok(heartbeat.beat(now, |_| burden)));
        }
        for beat in beats {
            match beat.expect("only what was asked is answered") {
                Beat::Rest => {}
                Beat::Ask(request) => {
                    asked = request;
                    let _ = write!(told, "{}s ask; ", now.since(NOW).as_secs());
                }
                Beat::Sick(sick) => return format!("{told}{}s sick: {sick}", now.since(NOW).as_secs()),
            }
        }
    }
    told
}

#[test]
fn a_process_is_hung_when_it_fails_three_times_in_a_row_or_its_calls_are_stuck_or_ignored() {
    let mut table = String::new();
    for script in [
        ".....+....+....+....",
        "......+....+....+",
        "..................",
        ".....!....!....!",
        ".....!....!....+....!....!....+",
        ".....+....+.S",
        "IIII.+II.IIII.+IIIII",
    ] {
        let _ = writeln!(table, "{script}\n  {}", beats(script));
    }
    insta::assert_snapshot!("heartbeat", table);
}

#[test]
fn answers_to_what_was_never_asked_break_the_protocol_and_late_ones_do_not() {
    let mut heartbeat = Heartbeat::new(HealthPolicy::default());
    assert!(heartbeat.answered(0, None).is_err() && heartbeat.answered(1, None).is_err());
    heartbeat.begin(NOW);
    assert_eq!(heartbeat.beat(at(5), |_| Burden::default()), Beat::Ask(1));
    assert!(heartbeat.answered(2, None).is_err());
    assert_eq!(heartbeat.beat(at(6), |_| Burden::default()), Beat::Rest, "one failure");
    assert_eq!(heartbeat.answered(1, None), Ok(Beat::Rest), "too late");
    heartbeat.end();
    assert_eq!(heartbeat.answered(1, None), Ok(Beat::Rest), "it drains");
    assert_eq!(
        (heartbeat.timer(), heartbeat.beat(at(99), |_| Burden { stuck: 4, at_once: 4, ignored: true })),
        (None, Beat::Rest)
    );
}
