//! What a program can find out about itself: dumps with places, trees, stacks and differences.

#![cfg(feature = "diagnostics")]
#![allow(clippy::disallowed_methods, reason = "threads of tests, and real time")]

#[path = "../support/mod.rs"]
mod support;

mod cost;
mod difference;
mod json;
mod panics;
mod places;
mod stacks;
mod text;
mod tree;
mod undisturbed;

use fibra::{Builder, Dump, JoinHandle, StackTrace};

/// Spawns a fiber with a name, by which [`functions`] finds it.
fn spawn_named(name: &str, f: impl FnOnce() + 'static) -> JoinHandle<()> {
    Builder::new().name(name).spawn(f)
}

/// Returns the stack of the fiber `name`.
fn stack_of(dump: &Dump, name: &str) -> Option<StackTrace> {
    let mut fibers = dump.fibers.iter();
    let is_it = |fiber: &&fibra::FiberSnapshot| fiber.name.as_deref() == Some(name);
    fibers.find(is_it).expect("the dump has the fiber").stack.clone()
}

/// Returns the names of the functions of this suite on the stack of the fiber `name`, the innermost
/// first, with `|` at each border between two stacks. Closures are left out.
#[track_caller]
fn functions(dump: &Dump, name: &str) -> String {
    let stack = stack_of(dump, name).expect("the fiber has a stack");
    let mut names = Vec::new();
    for frame in stack.frames() {
        if frame.begins_stack {
            names.push("|");
        }
        let function = frame.function.as_deref().unwrap_or_default();
        if function.starts_with("diagnostics::") && !function.contains("{{closure}}") {
            names.extend(function.rsplit("::").next());
        }
    }
    names.join(" ")
}
