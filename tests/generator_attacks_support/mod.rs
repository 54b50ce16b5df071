//! What the attacks on generators share: children whose time and memory have limits.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "children are spawned, and exit")]

use std::mem;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};
use std::time::Duration;

use fibra::Runtime;
use fibra::generator::{self, Yielder};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn virtually<T>(f: impl FnOnce() -> T) -> T {
    Runtime::builder().virtual_clock().build().unwrap().run(f)
}

pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub(crate) fn quiet_panic(text: &'static str) -> ! {
    panic::resume_unwind(Box::new(text))
}

pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

pub(crate) const DONE: &str = "the child's body has ended\n";

/// Runs `test` again in a process of its own, in which `f` is called. One that spins is ended by the
/// limit on its processor time, one that takes memory without end by that on its addresses.
pub(crate) fn in_child(test: &str, limits: &str, f: impl FnOnce()) -> Output {
    const CHILD: &str = "FIBRA_ATTACK_CHILD";
    if std::env::var(CHILD).is_ok_and(|wanted| wanted == test) {
        f();
        eprint!("{DONE}");
        std::process::exit(0);
    }
    let script = format!("ulimit -c 0; ulimit -t 20; {limits} exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The name of a test. A name that is not a test's does not compile.
#[allow(unused_macros, reason = "each test file uses a part of it")]
macro_rules! name_of {
    ($test:ident) => {{
        let _: fn() = $test;
        stringify!($test)
    }};
}

#[allow(unused_imports, reason = "each test file uses a part of it")]
pub(crate) use name_of;

/// The child's body has ended. Returns what it wrote before that.
#[track_caller]
pub(crate) fn check_done(output: &Output) -> String {
    let text = stderr(output);
    assert!(output.status.success(), "{}: {text}", output.status);
    text.strip_suffix(DONE).unwrap_or_else(|| panic!("its body has not ended: {text}")).into()
}

/// Makes a generator whose handle nobody has.
pub(crate) fn forget_after_first<Y: 'static, T: 'static>(
    f: impl FnOnce(&Yielder<Y>) -> T + 'static,
) {
    let mut forgotten = generator::iter(f);
    drop(forgotten.next());
    mem::forget(forgotten);
}
