//! The panic hook that names the fiber.

#![forbid(unsafe_code)]

use std::panic;
use std::sync::Once;

use crate::fiber::current;
use crate::fiber::panic::Origin;
use crate::fiber::report::say;

/// Makes a panic on a fiber name that fiber and the place where it was spawned, in a line on
/// standard error above the message of the panic.
///
/// Without it, std's message names the thread only, which runs many fibers. The hook that was set
/// before, std's or the program's own, is called after the line. A hook that is set later replaces
/// both, unless it calls the one before it, too. Calls after the first do nothing.
/// `fibra::main` calls this. For a main fiber, which runs on the thread that
/// std's message names, there is no line.
///
/// May be called on any thread, on fibers or not.
///
/// # Panics
///
/// Panics on a thread that unwinds because of a panic.
///
/// # Examples
///
/// ```
/// fibra::install_panic_hook();
/// fibra::run(|| {
///     let baker = fibra::Builder::new().name("baker").spawn(|| panic!("no flour"));
///     assert!(baker.join().unwrap_err().is_panic());
///     // fibra: fiber 'baker' (#2), spawned at src/main.rs:3:56, panics:
///     // thread 'main' panicked at src/main.rs:3:65:
///     // no flour
/// });
/// ```
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            name_fiber();
            before(info);
        }));
    });
}

/// Prints the fiber that panics, unless that is a main fiber or none.
fn name_fiber() {
    if let Some(fiber) = current::fiber().filter(|fiber| fiber.id().number() != 1) {
        say(format_args!("{}, panics:", Origin::of(&fiber)));
    }
}
