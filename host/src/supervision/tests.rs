//! The whole table, state by event, as one golden file; and how restarts are spaced.

use super::*;

const NOW: Deadline = Deadline::from_monotonic_ns(1_000_000_000_000);

fn at(seconds: u64) -> Deadline {
    NOW.plus(Duration::from_secs(seconds))
}

#[test]
fn every_event_in_every_state() {
    let generation = Generation(7);
    let states = [
        State::Stopped,
        State::Starting { generation, until: at(15) },
        State::Ready { generation, since: NOW },
        State::Draining { generation, until: at(2) },
        State::Backoff { generation, until: at(1) },
    ];
    let events = [Event::Start, Event::Loaded, Event::Failed, Event::Exited, Event::Broken, Event::Drain, Event::Timer];
    let name = |debug: String| debug.split([' ', '(']).next().unwrap_or_default().to_owned();
    let mut table = String::new();
    for state in states {
        for event in events {
            let mut supervision = Supervision { state, restarts: 3, in_a_row: 1 };
            let effects = supervision.step(event, NOW, &Timing::default(), 0.0);
            let effects: Vec<String> = effects.iter().map(|effect| name(format!("{effect:?}"))).collect();
            let next = name(format!("{:?}", supervision.state));
            let line = format!("{:9} + {event:7?} -> {next:9} {}", name(format!("{state:?}")), effects.join(", "));
            table.push_str(line.trim_end());
            table.push('\n');
        }
    }
    insta::assert_snapshot!("table", table);
}

#[test]
fn restarts_come_at_once_then_ever_later_and_again_at_once_after_health() {
    let timing = Timing::default();
    let mut supervision = Supervision::default();
    let mut now = NOW;
    supervision.step(Event::Start, now, &timing, 0.0);
    let mut delays_ms = Vec::new();
    for crash in 1..=12 {
        supervision.step(Event::Loaded, now, &timing, 0.0);
        assert_eq!(supervision.state(), State::Ready { generation: Generation(crash), since: now });
        supervision.step(Event::Exited, now, &timing, 0.0);
        let due = supervision.timer().unwrap();
        delays_ms.push(due.since(now).as_millis());
        now = due;
        assert_eq!(supervision.step(Event::Timer, now, &timing, 0.0), [Effect::Spawn(Generation(crash + 1))]);
    }
    assert_eq!(delays_ms, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    assert_eq!(supervision.restarts(), 12);

    supervision.step(Event::Loaded, now, &timing, 0.0);
    now = now.plus(timing.restart.healthy_after);
    supervision.step(Event::Exited, now, &timing, 0.0);
    assert_eq!(supervision.timer(), Some(now), "after health the first restart comes at once");
}
