//! Tests what a dump shows for the fiber that runs, and for one that has never waited.

use crate::support::run_virtually;

#[test]
fn a_dump_distinguishes_the_running_fiber_from_runnable_ones() {
    run_virtually(|| {
        fibra::spawn(|| (0..3).for_each(|_| fibra::yield_now()));
        fibra::yield_now();
        let dump = fibra::dump();
        assert_eq!(dump.fibers[0].activity, fibra::Activity::Running);
        assert_eq!(dump.fibers[1].activity, fibra::Activity::Runnable);
        assert_eq!(fibra::current().activity(), Some(fibra::Activity::Running));
        let text = dump.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].contains("runs, spawned at"), "it has not waited yet: {text}");
        assert!(lines[1].contains("can run, spawned at"), "nor has the other: {text}");
        let line = line!() + 1;
        fibra::sleep(std::time::Duration::from_millis(1));
        let text = fibra::dump().to_string();
        let first = text.lines().next().unwrap();
        assert!(first.contains("runs, last waited at"), "{text}");
        assert!(first.contains(&format!("{}:{line}:", file!())), "{text}");
    });
}
