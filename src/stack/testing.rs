//! Helpers that the tests of this folder share: child processes, probes for faults, the kernel's
//! counters.
#![allow(unsafe_code, reason = "probes addresses by a system call")]

use std::ffi::OsStr;
use std::fs;
use std::process::{self, Command, Output};
use std::ptr;
use std::sync::Mutex;

use super::guard::Guards;
use super::reserve::Reserve;
use super::slab::Map;

/// The environment variable that names the test that a child runs.
const CHILD: &str = "FIBRA_STACK_TEST_CHILD";
/// The line that a child prints when its body has ended.
const DONE: &str = "the child's body has ended";

/// Runs `body` in a child process and returns how that ended. `test` is the full name of the
/// calling test, including the crate: the child is this program, started to run that test alone.
pub(crate) fn in_child(test: &str, environment: &[(&str, &str)], body: impl FnOnce()) -> Output {
    if std::env::var_os(CHILD).as_deref() == Some(OsStr::new(test)) {
        body();
        eprintln!("{DONE}");
        #[allow(clippy::disallowed_methods, reason = "no fiber runs in this child")]
        process::exit(0);
    }
    let (_, path) = test.split_once("::").expect("module_path! starts with the crate");
    let mut child = this_program();
    child.args(["--exact", path, "--nocapture", "--test-threads=1"]).env(CHILD, test);
    child.envs(environment.iter().copied()).output().unwrap()
}

/// Returns a command that runs this program: with the emulator that `.ci/aarch64` names, if that
/// script runs it.
fn this_program() -> Command {
    let emulator = std::env::var("FIBRA_TEST_EMULATOR").unwrap_or_default();
    let program = std::env::current_exe().unwrap();
    let mut words = emulator.split_whitespace();
    let Some(first) = words.next() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(words).arg(program);
    command
}

/// Returns the standard error of a child, without the line that an emulator adds if the child dies
/// of a signal.
pub(crate) fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let is_own = |line: &&str| !line.starts_with("qemu: uncaught target signal");
    text.split_inclusive('\n').filter(is_own).collect()
}

/// Like `in_child`, but asserts that the body ran to its end.
pub(super) fn pass_in_child(test: &str, environment: &[(&str, &str)], body: impl FnOnce()) {
    let output = in_child(test, environment, body);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stderr.contains(DONE), "{stdout}\n{stderr}");
}

/// Expands to the name of a test in the form that `in_child` expects.
macro_rules! this_test {
    ($name:ident) => {{
        // A name that is not a test's does not compile.
        let _: fn() = $name;
        concat!(module_path!(), "::", stringify!($name))
    }};
}
pub(crate) use this_test;

/// Asserts that a sanitizer ended the child with a report.
#[cfg(sanitized)]
pub(crate) fn assert_reported(output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("Sanitizer: "), "{stderr}");
    assert!(!stderr.contains(DONE), "{stderr}");
}

/// Returns whether a read of this address would fault: the kernel is asked to read it, and reports
/// `EFAULT`.
pub(super) fn faults(address: usize) -> bool {
    let mut pipe = [0; 2];
    // SAFETY: `pipe` writes two descriptors to a live array; `write` of an address that cannot be
    // read is an error and not a fault; both descriptors are closed once.
    unsafe {
        assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
        let written = libc::write(pipe[1], ptr::with_exposed_provenance(address), 1);
        let error = std::io::Error::last_os_error().raw_os_error();
        libc::close(pipe[0]);
        libc::close(pipe[1]);
        written == -1 && error == Some(libc::EFAULT)
    }
}

/// Writes a byte just under `base`, as the first frame of a fiber would.
pub(super) fn touch(base: usize, byte: u8) {
    // SAFETY: the callers own the stack under `base`, and nothing runs on it.
    unsafe { ptr::with_exposed_provenance_mut::<u8>(base - 1).write_volatile(byte) };
}

/// Reads the byte that `touch` wrote.
pub(super) fn look(base: usize) -> u8 {
    // SAFETY: the same as for `touch`.
    unsafe { ptr::with_exposed_provenance::<u8>(base - 1).read_volatile() }
}

/// Creates a reserve for one test.
pub(super) fn reserve(map: Map, guards: fn() -> Guards) -> &'static Mutex<Reserve> {
    Box::leak(Box::new(Mutex::new(Reserve::new(map, guards, 0))))
}

/// Returns every way of making guards that this system has.
pub(super) fn every_kind_of_guards() -> Vec<fn() -> Guards> {
    vec![Guards::of_this_system, || Guards::Protection]
}

/// Returns a line of `/proc/self/status`, in bytes.
pub(super) fn status_bytes(key: &str) -> usize {
    number_of(&fs::read_to_string("/proc/self/status").unwrap(), key) * 1024
}

/// Returns the number in the line that begins with `key`.
fn number_of(text: &str, key: &str) -> usize {
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Returns the memory of this process that is not backed by a file, as that of stacks is not. Pages
/// of the program itself are not counted: how many are mapped, and when, depends on what the system
/// has cached. The counters in `status` are sums over processors, which some kernels read without
/// the parts that are still in flight: dozens of pages for each processor.
pub(super) fn anonymous_bytes() -> usize {
    let Ok(exact) = fs::read_to_string("/proc/self/smaps_rollup") else {
        return status_bytes("RssAnon:");
    };
    number_of(&exact, "Anonymous:") * 1024
}

/// Returns how many mappings this process has.
pub(super) fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// Returns how many mappings begin at `low` or above, and below `high`.
pub(super) fn mappings_between(low: usize, high: usize) -> usize {
    let begins = |line: &str| {
        let (start, _) = line.split_once('-').expect("a line begins with a range");
        usize::from_str_radix(start, 16).expect("an address in hexadecimal digits")
    };
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().map(begins).filter(|start| (low..high).contains(start)).count()
}
