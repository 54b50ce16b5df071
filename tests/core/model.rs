//! Tests that random programs do on fibra what a model of ring, channels and kills predicts.
//!
//! Each program runs twice: on fibra, and in an interpreter over plain data that was written from
//! the rules. The traces must be equal: the order of the fibers, what each operation returned, and
//! where each value was dropped. The programs are hostile: fibers are killed in every state, by
//! themselves and inside shields, channels are closed and their ends dropped with fibers waiting,
//! and most programs deadlock several times.
//!
//! At least 500,000 operations are run ([`LEAST_OPERATIONS`], counted).

mod failures;
mod meetings;
mod op;
mod parts;
mod plain;
mod real;
mod steps;
mod waits;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Once;
use std::thread;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use op::{Op, Outcome, Payload};

const CASES: u32 = 30_000;
const LEAST_OPERATIONS: u64 = 500_000;

#[test]
fn random_programs_behave_like_the_model() {
    ignore_deadlock_messages();
    let operations = Cell::new(0);
    let kinds = RefCell::new(BTreeMap::new());
    // The programs are the same each time. To look for others, set PROPTEST_RNG_SEED or raise
    // PROPTEST_CASES.
    // AddressSanitizer keeps the shadow of every stack that has ended, so it gets fewer programs.
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let asked = asked.or(cfg!(sanitized).then_some(2_000));
    let config = Config {
        cases: asked.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut runner = TestRunner::new_with_rng(config, rng(seed.unwrap_or(1)));
    let result = runner.run(&op::words(), |words| {
        let seen = check(&op::program(&words))?;
        operations.set(operations.get() + seen.operations);
        for (_, event) in &seen.trace {
            *kinds.borrow_mut().entry(kind_of(event)).or_insert(0u32) += 1;
        }
        Ok(())
    });
    if let Err(TestError::Fail(why, words)) = &result {
        panic!("{why}\nin the program {:#?}", op::program(words));
    }
    assert!(result.is_ok(), "{result:?}");
    println!("{} operations: {:#?}", operations.get(), kinds.borrow());
    if asked.is_some() {
        return;
    }
    assert!(LEAST_OPERATIONS <= operations.get(), "only {} operations", operations.get());
    for kind in MUST_HAPPEN {
        let times = kinds.borrow().get(*kind).copied().unwrap_or(0);
        assert!(100 <= times, "{kind} has happened only {times} times");
    }
}

/// Returns the text of `event` without its numbers.
fn kind_of(event: &op::Event) -> String {
    format!("{event:?}").replace(|c: char| c.is_ascii_digit() || c == '-', "")
}

/// The events that the programs must meet often: otherwise the programs prove nothing.
const MUST_HAPPEN: &[&str] = &[
    "Sent",
    "NotSent(NotNow)",
    "NotSent(TimedOut)",
    "NotSent(Closed)",
    "NotSent(Deadlock)",
    "Received()",
    "NotReceived(NotNow)",
    "NotReceived(TimedOut)",
    "NotReceived(Closed)",
    "NotReceived(Deadlock)",
    "Dropped()",
    "NoEnd",
    "Joined(Returned)",
    "Joined(Killed)",
    "Joined(Unwound(Panic()))",
    "Joined(Itself)",
    "Joined(Deadlock)",
    "Unparked",
    "Slept()",
    "Ticked",
    "Caught(Kill)",
    "Caught(Panic())",
    "Caught(Deadlock)",
    "Cleaning",
];

/// Creates a cheap generator: proptest's default is a cipher, which would take most of a debug run.
fn rng(seed: u64) -> TestRng {
    let bytes = [seed, !seed].map(u64::to_le_bytes).concat();
    TestRng::from_seed(RngAlgorithm::XorShift, &bytes)
}

/// Runs `program` on fibra and in the model, which must agree. Returns the report of fibra.
fn check(program: &[Op]) -> Result<real::Report, TestCaseError> {
    let expected = plain::predict(program);
    // On its own thread: a run that goes wrong may leave the thread's count of panics wrong.
    let seen = thread::scope(|scope| scope.spawn(|| real::run(program)).join());
    let seen = seen.map_err(|_| TestCaseError::fail("the run has panicked"))?;
    let differs = (0..expected.trace.len().max(seen.trace.len()))
        .find(|&at| expected.trace.get(at) != seen.trace.get(at));
    if let Some(at) = differs {
        return Err(TestCaseError::fail(format!(
            "traces differ at {at}: the model expects {:?}, fibra did {:?}, after {:#?}",
            expected.trace.get(at),
            seen.trace.get(at),
            &seen.trace[..at],
        )));
    }
    if expected.main != seen.main {
        let text = format!("`run` gave {:?}, the model {:?}", seen.main, expected.main);
        return Err(TestCaseError::fail(text));
    }
    if seen.leaked != 0 {
        return Err(TestCaseError::fail(format!("{} values were not dropped", seen.leaked)));
    }
    Ok(seen)
}

/// Silences the panics of deadlocks whose waits cannot fail otherwise: there are thousands of them.
fn ignore_deadlock_messages() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<String>();
            if !text.is_some_and(|text| text.starts_with("deadlock")) {
                default(info);
            }
        }));
    });
}

#[test]
fn the_model_notices_a_wrong_order() {
    // The model is also compared with a program whose order is known from the rules.
    let program = [
        Op::Spawn(vec![Op::Recv(op::Line::Rendezvous(0), op::Wait::Ever)]),
        Op::Spawn(vec![]),
        Op::Yield,
        Op::Spawn(vec![]),
        Op::Send(op::Line::Rendezvous(0), op::Wait::Ever),
    ];
    use op::Event::{Dropped, Gone, Received, Sent, Spawned, Started, Yielded};
    let expected = vec![
        (0, Spawned(1)),
        (0, Spawned(2)),
        (1, Started),
        (2, Started),
        (2, Gone),
        (0, Yielded),
        (0, Spawned(3)),
        (1, Received(1)),
        (1, Dropped(1)),
        (1, Gone),
        (3, Started),
        (3, Gone),
        (0, Sent),
        (0, Gone),
    ];
    let expected = [vec![(0, Started)], expected].concat();
    assert_eq!(plain::predict(&program).trace, expected);
    assert_eq!(real::run(&program).trace, expected);
}

#[test]
fn a_panic_of_the_main_fiber_is_predicted() {
    let program = [Op::Spawn(vec![Op::Park]), Op::Yield, Op::Panic];
    let expected = Outcome::Unwound(Payload::Panic(1));
    assert_eq!(plain::predict(&program).main, expected);
    assert_eq!(real::run(&program).main, expected);
}
