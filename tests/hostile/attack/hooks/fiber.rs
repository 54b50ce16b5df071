//! Hooks at closures, outputs and panics of fibers.

use std::panic;

use super::{Hook, hook, joined, until_ended, unwinding};
use crate::attack::stage::{Hostile, strike};

pub(super) const HOOKS: &[Hook] = &[
    hook("fiber: the closure of a spawned one", "joined", |stage| {
        let fiber = fibra::spawn(strike);
        stage.know(fiber.fiber());
        joined(&fiber.join())
    }),
    hook("fiber: the destructor of a closure that never runs", "the fiber was killed", |stage| {
        let captured = Hostile::new("captured");
        let fiber = fibra::spawn(move || drop(captured));
        stage.know(fiber.fiber());
        fiber.kill();
        joined(&fiber.join())
    }),
    hook("fiber: the destructor of an output of one that is detached", "ended", |stage| {
        let fiber = fibra::spawn(|| Hostile::new("output"));
        stage.know(fiber.fiber());
        let known = fiber.fiber().clone();
        drop(fiber);
        until_ended(&known);
        "ended".into()
    }),
    hook("fiber: the destructor of an output with its handle", "dropped", |stage| {
        let mut fiber = fibra::spawn(|| Hostile::new("output"));
        stage.know(fiber.fiber());
        let _ = fiber.wait();
        drop(fiber);
        "dropped".into()
    }),
    unwinding(hook("fiber: the destructor of a panic of one that is detached", "ended", |stage| {
        let fiber = fibra::spawn(|| panic::panic_any(Hostile::new("payload")));
        stage.know(fiber.fiber());
        let known = fiber.fiber().clone();
        drop(fiber);
        until_ended(&known);
        "ended".into()
    })),
];
