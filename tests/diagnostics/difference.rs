//! Tests the difference of two dumps.

use fibra::{Activity, spawn, yield_now};

#[test]
fn what_grew_is_first_and_what_stays_is_left_out() {
    fibra::run(|| {
        let stays: Vec<_> = (0..5).map(|_| spawn(fibra::park)).collect();
        let ends: Vec<_> = (0..3).map(|_| spawn(fibra::park)).collect();
        yield_now();
        let before = fibra::dump();
        for fiber in ends {
            fiber.fiber().unpark();
            fiber.join().unwrap();
        }
        let line = line!() + 1;
        let leak: Vec<_> = (0..7).map(|_| spawn(fibra::park)).collect();
        yield_now();
        let difference = fibra::dump().difference(&before);
        let [grew, shrank] = &difference.changes[..] else { panic!("{difference}") };
        assert_eq!((grew.before, grew.after, grew.growth()), (0, 7, 7));
        assert_eq!((grew.spawned_at.line(), grew.activity), (line, Activity::Waiting("parked")));
        assert_eq!((shrank.before, shrank.after, shrank.growth()), (3, 0, -3));
        let text = difference.to_string();
        assert!(text.starts_with("+7 (0 before, 7 after): parked at "), "{text}");
        assert!(text.contains("\n-3 (3 before, 0 after): parked at "), "{text}");
        drop((stays, leak));
    });
}

#[test]
fn two_dumps_of_the_same_moment_do_not_differ() {
    fibra::run(|| {
        (0..30).for_each(|_| spawn(fibra::park).detach());
        yield_now();
        let difference = fibra::dump().difference(&fibra::dump());
        assert!(difference.changes.is_empty(), "{difference}");
        assert_eq!(difference.to_string(), "no change");
    });
}

#[test]
fn the_fibers_of_all_schedulers_are_counted_together() {
    let runtime = fibra::Runtime::builder().threads(2).build().unwrap();
    runtime.run(|| {
        let handle = fibra::Handle::current();
        let before = handle.dump();
        for index in [0, 1] {
            (0..10).for_each(|_| handle.spawn_on(index, fibra::park).detach());
        }
        let parked = || {
            let difference = handle.dump().difference(&before);
            let parked =
                |change: &&fibra::DumpChange| change.activity == Activity::Waiting("parked");
            difference.changes.iter().find(parked).map_or(0, fibra::DumpChange::growth)
        };
        while parked() != 20 {
            fibra::sleep(crate::support::ms(1));
        }
    });
}
