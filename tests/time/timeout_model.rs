//! Random nestings of time limits behave like a model over plain numbers.
//!
//! Limits, shields, grace times, `finally`, `catch_unwind`, nurseries whose fibers fail, generators
//! that yield out of all of these, a panic here and there, and a kill from outside: each program
//! runs on the virtual clock and in an interpreter that represents a scope by a number. The traces
//! must be equal: the events, and their times.

mod op;
mod plain;
mod real;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use op::{Event, Program};

use crate::support::{apart, in_child, name_of, stderr};

const CASES: u32 = 20_000;

#[test]
fn random_nestings_behave_like_the_model() {
    apart(|| {
        // Thousands of panics that are not joined are reported on standard error, which is no help.
        let test = name_of!(random_nestings_behave_like_the_model);
        let output = in_child(test, &[], run_all);
        let text = stderr(&output);
        let lines: Vec<_> =
            text.lines().filter(|line| !line.ends_with("was not joined: boom")).collect();
        assert!(output.status.success(), "{}", lines.join("\n"));
        println!("{}", String::from_utf8_lossy(&output.stdout));
    });
}

fn run_all() {
    ignore_panic_messages();
    // The programs are the same each time. To test others, set PROPTEST_RNG_SEED or raise
    // PROPTEST_CASES.
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let asked = number("PROPTEST_CASES");
    let config = Config {
        cases: asked.map_or(CASES, |cases| u32::try_from(cases).unwrap_or(u32::MAX)),
        failure_persistence: None,
        max_global_rejects: u32::MAX,
        ..Config::default()
    };
    let seed = number("PROPTEST_RNG_SEED").unwrap_or(1);
    let mut runner = TestRunner::new_with_rng(config, rng(seed));
    let kinds = RefCell::new(BTreeMap::new());
    let rejected = Cell::new(0);
    let result = runner.run(&op::programs(), |program| {
        let Some(expected) = plain::predict(&program) else {
            rejected.set(rejected.get() + 1);
            return Err(TestCaseError::reject("two things happen at one moment"));
        };
        compare(&program, &expected)?;
        for (_, event) in &expected {
            *kinds.borrow_mut().entry(kind_of(event)).or_insert(0u32) += 1;
        }
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.unwrap_err());
    println!("{} left out; {:#?}", rejected.get(), kinds.borrow());
    if asked.is_some() {
        return;
    }
    for kind in MUST_HAPPEN {
        let times = kinds.borrow().get(*kind).copied().unwrap_or(0);
        assert!(100 <= times, "{kind} has happened only {times} times");
    }
}

/// Events that must occur often in the programs, or the test proves nothing.
const MUST_HAPPEN: &[&str] = &[
    "Slept",
    "Elapsed",
    "InTime",
    "Caught(Cancel)",
    "Caught(Panic)",
    "Unshielded",
    "Cleaning",
    "Left",
    "Resumed",
    "Closed",
    "Ended(Returned)",
    "Ended(Killed)",
    "Ended(Panicked)",
];

fn kind_of(event: &Event) -> String {
    let text = format!("{event:?}").replace(|c: char| c.is_ascii_digit(), "");
    text.replace("()", "").replace(", ", "")
}

fn compare(program: &Program, expected: &[(u64, Event)]) -> Result<(), TestCaseError> {
    let seen = real::run(program);
    if seen == expected {
        return Ok(());
    }
    let at = (0..).find(|&at| seen.get(at) != expected.get(at)).unwrap_or(0);
    Err(TestCaseError::fail(format!(
        "traces differ at {at}: the model expects {:?}, fibra did {:?}, after {:?}",
        expected.get(at),
        seen.get(at),
        &seen[..at.min(seen.len())],
    )))
}

fn rng(seed: u64) -> TestRng {
    let bytes = [seed, !seed].map(u64::to_le_bytes).concat();
    TestRng::from_seed(RngAlgorithm::XorShift, &bytes)
}

fn ignore_panic_messages() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref() != Some(&real::BOOM) {
            default(info);
        }
    }));
}

#[test]
fn the_model_knows_the_rules() {
    use op::Op::{Limit, Shield, Sleep};
    let program = Program {
        ops: vec![Limit(6, vec![Limit(6, vec![Sleep(9)]), Sleep(0)]), Shield(vec![Sleep(3)])],
        kill: Some(7),
    };
    let expected = [
        (6, Event::Elapsed(0)),
        (9, Event::Slept(5)),
        (9, Event::Unshielded(4)),
        (9, Event::Ended(op::End::Returned)),
    ];
    assert_eq!(plain::predict(&program).as_deref(), Some(&expected[..]));
    assert_eq!(real::run(&program), expected);
}
