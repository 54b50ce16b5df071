//! Tests `dump` and `stats`: every fiber with its state, and the counters.

use fibra::{Activity, channel::Channel, spawn, yield_now};

use crate::support::{ms, run_virtually};

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer keeps local variables elsewhere")]
fn a_dump_shows_every_fiber_in_the_order_of_spawning() {
    run_virtually(|| {
        let line = line!() + 1;
        let _parked = fibra::Builder::new().name("parked").spawn(|| fibra::park());
        let channel = Channel::<()>::new();
        let _receiver = spawn(move || channel.recv().is_err());
        let _sleeper = spawn(|| fibra::sleep(ms(60_000)));
        fibra::sleep(ms(2_000));
        let _new = spawn(|| ());
        let dump = fibra::dump();
        let kinds: Vec<_> = dump.fibers.iter().map(|fiber| fiber.activity).collect();
        let expected = [
            Activity::Running,
            Activity::Waiting("parked"),
            Activity::Waiting("receiving on a channel"),
            Activity::Waiting("asleep"),
            Activity::NotStarted,
        ];
        assert_eq!((kinds.as_slice(), dump.left_out), (&expected[..], 0));
        let parked = &dump.fibers[1];
        assert_eq!((parked.id.number(), parked.name.as_deref()), (2, Some("parked")));
        assert_eq!((parked.location.file(), parked.location.line()), (file!(), line));
        assert_eq!(parked.waiting_for, Some(ms(2_000)));
        assert!(0 < parked.stack_used && parked.stack_used < parked.stack_size, "{parked:?}");
        assert_eq!((dump.fibers[4].stack_used, dump.fibers[4].waiting_for), (0, None));

        let text = dump.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("  fiber 'main' (#1) runs, last waited at tests/"));
        let place = format!("  fiber 'parked' (#2) is parked at {}:{line}:", file!());
        assert!(
            lines[1].starts_with(&place) && lines[1].contains(" for 2s, spawned at "),
            "{text}"
        );
        assert!(lines[4].starts_with("  fiber #5 has not run yet, spawned at tests/"), "{text}");
    });
}

#[test]
fn a_deeper_stack_shows_as_more_use() {
    #[inline(never)]
    fn deep(levels: u32) -> u32 {
        if levels == 0 {
            fibra::park();
            return 0;
        }
        std::hint::black_box(deep(levels - 1)) + 1
    }
    fibra::run(|| {
        let _shallow = spawn(|| deep(0));
        let _deep = spawn(|| deep(200));
        yield_now();
        let dump = fibra::dump();
        let [shallow, deep] = [1, 2].map(|i| dump.fibers[i].stack_used);
        assert!(shallow + 200 * 16 < deep, "{shallow} {deep}");
    });
}

#[test]
fn taking_a_dump_changes_nothing() {
    fibra::run(|| {
        let child = spawn(|| fibra::park());
        yield_now();
        let before = fibra::stats();
        assert_eq!(fibra::dump().to_string(), fibra::dump().to_string());
        let after = fibra::stats();
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
        child.fiber().unpark();
        child.join().unwrap();
    });
}

#[test]
fn the_counters_follow_the_life_of_fibers() {
    run_virtually(|| {
        let stats = fibra::stats();
        assert_eq!((stats.fibers, stats.runnable, stats.spawned), (1, 1, 1));
        let parked = spawn(|| fibra::park());
        let sleeper = spawn(|| fibra::sleep(ms(10)));
        let stats = fibra::stats();
        assert_eq!((stats.fibers, stats.runnable, stats.spawned, stats.timers), (3, 3, 3, 0));
        yield_now();
        let stats = fibra::stats();
        assert_eq!((stats.fibers, stats.runnable, stats.timers), (3, 1, 1));
        parked.fiber().unpark();
        assert_eq!(fibra::stats().runnable, 2);
        parked.join().unwrap();
        sleeper.join().unwrap();
        let stats = fibra::stats();
        assert_eq!((stats.fibers, stats.runnable, stats.timers, stats.abandoned), (1, 1, 0, 0));
        assert!(4 <= stats.switches, "{stats:?}");
    });
}

#[test]
fn a_million_spawned_fibers_need_no_stacks_and_are_all_counted() {
    fibra::run(|| {
        let live = fibra::stats().stacks_live;
        (0..1_000_000).for_each(|_| crate::support::go(|| ()));
        let stats = fibra::stats();
        assert_eq!((stats.fibers, stats.stacks_live), (1_000_001, live));
        yield_now();
        let stats = fibra::stats();
        assert_eq!((stats.fibers, stats.stacks_live), (1, live));
    });
}
