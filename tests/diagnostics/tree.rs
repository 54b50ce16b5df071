//! Tests the text of dumps with many fibers.

use fibra::{Dump, spawn, yield_now};

use crate::support::{ms, run_virtually};

/// Returns the lines of `dump` without places: "src/main.rs:3:5" becomes "_".
fn lines(text: &str) -> Vec<String> {
    let is_place = |word: &str| word.matches(':').count() >= 2 && word.contains(".rs:");
    let masked = |word: &str| {
        let end = word.trim_start_matches(|c: char| !matches!(c, ',' | ')'));
        if is_place(word) { format!("_{end}") } else { String::from(word) }
    };
    text.lines().map(|line| line.split(' ').map(masked).collect::<Vec<_>>().join(" ")).collect()
}

fn tree(dump: &Dump) -> Vec<String> {
    lines(&dump.tree().to_string())
}

#[test]
fn each_fiber_is_below_the_one_that_spawned_it() {
    fibra::run(|| {
        let _a = fibra::Builder::new().name("a").spawn(|| {
            let _deep = fibra::Builder::new().name("deep").spawn(fibra::park);
            fibra::park();
        });
        let _b = fibra::Builder::new().name("b").spawn(fibra::park);
        yield_now();
        yield_now();
        let expected = [
            "  fiber 'main' (#1) runs, spawned at _",
            "    fiber 'a' (#2) is parked at _, spawned at _",
            "      fiber 'deep' (#4) is parked at _, spawned there",
            "    fiber 'b' (#3) is parked at _, spawned there",
        ];
        let found = tree(&fibra::dump());
        let found: Vec<_> =
            found.iter().map(|line| line.replace("spawned at _", "spawned there")).collect();
        let expected: Vec<_> =
            expected.iter().map(|line| line.replace("spawned at _", "spawned there")).collect();
        assert_eq!(found, expected);
    });
}

#[test]
fn siblings_that_are_alike_share_a_line_with_their_count_and_the_longest_wait() {
    run_virtually(|| {
        for i in 0..30 {
            fibra::Builder::new().name(format!("reader {i}")).spawn(fibra::park).detach();
            fibra::sleep(ms(10));
        }
        (0..5).for_each(|_| spawn(fibra::park).detach());
        yield_now();
        let found = lines(&fibra::dump().to_string());
        assert_eq!(found.len(), 3, "{found:#?}");
        let expected = "    30 fibers ('reader 0' #2 to 'reader 29' #31) are parked at _ the longest \
                        for 300ms, spawned at _";
        assert_eq!(found[1].replace("_,", "_"), expected);
        assert_eq!(
            found[2].replace("_,", "_"),
            "    5 fibers (#32 to #36) are parked at _ spawned at _"
        );
    });
}

#[test]
fn the_children_of_siblings_that_are_alike_are_grouped_too() {
    fibra::run(|| {
        for _ in 0..1_000 {
            spawn(|| {
                spawn(fibra::park).detach();
                fibra::park();
            })
            .detach();
        }
        yield_now();
        yield_now();
        let found = lines(&fibra::dump().to_string());
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found[1].starts_with("    1000 fibers (#2 to #1001) are parked"), "{found:#?}");
        assert!(found[2].starts_with("      1000 fibers (#1002 to #2001) are"), "{found:#?}");
    });
}

#[test]
fn few_fibers_have_a_line_each_in_the_order_of_their_spawns() {
    fibra::run(|| {
        (0..19).for_each(|_| spawn(fibra::park).detach());
        yield_now();
        assert_eq!(fibra::dump().to_string().lines().count(), 20);
        spawn(fibra::park).detach();
        yield_now();
        assert_eq!(fibra::dump().to_string().lines().count(), 3);
    });
}

#[test]
fn a_long_chain_of_spawns_takes_a_bounded_text() {
    fn chain(length: u32) {
        if length != 0 {
            spawn(move || chain(length - 1)).detach();
        }
        fibra::park();
    }
    fibra::run(|| {
        spawn(|| chain(3_000)).detach();
        while fibra::stats().spawned < 3_002 {
            yield_now();
        }
        let text = fibra::dump().to_string();
        assert_eq!(text.lines().count(), 101);
        assert!(text.ends_with("\n  and 2902 more"), "{text}");
        assert!(text.lines().all(|line| line.len() < 300));
    });
}

#[test]
fn a_leak_of_many_fibers_behind_many_others_is_in_the_text() {
    macro_rules! spawn_each {
        ($($n:literal)*) => { $(fibra::Builder::new().spawn(|| { let _ = $n; fibra::park() }).detach();)* };
    }
    fibra::run(|| {
        // Fibers of different scopes are at the same place, but wait in different channels.
        for _ in 0..150 {
            let holder = std::rc::Rc::new(fibra::sync::Mutex::new(()));
            let held = holder.clone();
            spawn(move || {
                let _guard = held.lock();
                fibra::park();
            })
            .detach();
            yield_now();
            spawn(move || drop(holder.lock())).detach();
        }
        spawn_each!(1 2 3);
        (0..500).for_each(|_| spawn(fibra::park).detach());
        yield_now();
        let text = fibra::dump().to_string();
        assert!(text.lines().count() <= 115, "{text}");
        assert!(text.contains("500 fibers ("), "{text}");
    });
}

#[test]
fn a_child_of_a_fiber_that_has_ended_is_a_root_that_names_its_parent() {
    fibra::run(|| {
        spawn(|| spawn(fibra::park).detach()).join().unwrap();
        yield_now();
        let found = tree(&fibra::dump());
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[1].starts_with("  fiber #3 is parked at ") && found[1].ends_with(" by #2"));
    });
}
