//! The text of a dump with stacks.

use std::hint::black_box;

use crate::spawn_named;

#[inline(never)]
fn waits_for_work() {
    fibra::park();
    black_box(());
}

#[test]
fn equal_stacks_are_one_group_and_the_largest_group_comes_first() {
    fibra::run(|| {
        for _ in 0..8 {
            spawn_named("worker", waits_for_work);
        }
        fibra::yield_now();
        spawn_named("new", waits_for_work);
        let dump = fibra::dump_with_stacks();
        let text = dump.to_string();
        let heads: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(
            heads,
            ["8 fibers with this stack:", "1 fiber with this stack:", "1 fiber without a stack:"]
        );
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].starts_with("  fiber 'worker' (#2) is parked at "), "{text}");
        assert_eq!(lines[6], "  and 3 more");
        assert!(lines[7].starts_with("    diagnostics::text::waits_for_work"), "{text}");
        assert!(text.contains(" frames of fibra and the runtime)"), "{text}");
        assert!(text.ends_with(" (it gets a stack when it starts)"), "{text}");
        // Complete.
        let text = format!("{dump:#}");
        assert_eq!(text.matches("fiber 'worker'").count(), 8);
        assert!(text.contains("\n    fibra::") && !text.contains("frames of fibra"), "{text}");
    });
}

#[test]
fn names_can_be_looked_up_while_other_fibers_run() {
    fibra::run(|| {
        let stack = fibra::dump_with_stacks().fibers[0].stack.clone().unwrap();
        let text = fibra::blocking({
            let stack = stack.clone();
            move || stack.to_string()
        });
        assert_eq!(stack.to_string(), text);
    });
}
