//! Tests the sizes of stacks: of the main fiber, of fibers that request no size, and of one that
//! requests a size.

use fibra::{Runtime, spawn};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The stack size of a fiber if nothing is set: frames are larger where nothing is optimised.
const DEFAULT: usize = if cfg!(any(debug_assertions, sanitized)) { MIB } else { 256 * KIB };

/// Returns the stack sizes of main, of a child, and of a child that requests 32 KiB.
fn sizes() -> [usize; 3] {
    let _child = spawn(fibra::park);
    let _asks = fibra::Builder::new().stack_size(32 * KIB).spawn(fibra::park);
    let dump = fibra::dump();
    [0, 1, 2].map(|at| dump.fibers[at].stack_size)
}

/// Touches about `kib` kibibytes of the stack, one per frame.
fn descend(kib: usize) -> usize {
    let frame = std::hint::black_box([1u8; KIB]);
    if kib == 0 {
        0
    } else {
        std::hint::black_box(descend(kib - 1)) + usize::from(frame[kib % KIB])
    }
}

#[test]
fn without_settings_main_has_a_large_stack_and_its_children_the_default() {
    assert_eq!(fibra::run(sizes), [8 * MIB, DEFAULT, 32 * KIB]);
    let runtime = Runtime::builder().build().unwrap();
    assert_eq!(runtime.run(sizes), [8 * MIB, DEFAULT, 32 * KIB]);
}

#[test]
fn the_stack_of_main_and_those_of_its_children_are_set_apart() {
    let of_main = Runtime::builder().main_stack_size(32 * MIB).build().unwrap();
    assert_eq!(of_main.run(sizes), [32 * MIB, DEFAULT, 32 * KIB]);
    let of_children = Runtime::builder().stack_size(64 * KIB).build().unwrap();
    assert_eq!(of_children.run(sizes), [8 * MIB, 64 * KIB, 32 * KIB]);
    let both = Runtime::builder().stack_size(2 * MIB).main_stack_size(MIB).build().unwrap();
    assert_eq!(both.run(sizes), [MIB, 2 * MIB, 32 * KIB]);
}

#[test]
fn the_size_of_main_is_rounded_up_to_a_power_of_two() {
    let runtime = Runtime::builder().main_stack_size(5 * MIB).build().unwrap();
    assert_eq!(runtime.run(sizes)[0], 8 * MIB);
}

#[test]
fn a_main_that_was_given_more_can_use_it() {
    let runtime = Runtime::builder().main_stack_size(64 * MIB).build().unwrap();
    assert_eq!(runtime.run(|| descend(10_000)), 10_000);
}

#[test]
#[cfg(all(target_os = "linux", not(sanitized)))]
#[allow(unsafe_code, reason = "sets a limit on a child's addresses")]
fn a_stack_of_main_that_cannot_be_had_is_an_error_of_the_builder() {
    use crate::support::{DONE_LINE, in_child, name_of, stderr};
    let test = name_of!(a_stack_of_main_that_cannot_be_had_is_an_error_of_the_builder);
    let output = in_child(test, &[], || {
        let bytes = 768 << 20;
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: reads one live `rlimit`; it constrains this child alone.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
        let error = Runtime::builder().main_stack_size(1 << 30).build().unwrap_err().to_string();
        assert!(error.contains("RLIMIT_AS allows the process 805306368 bytes"), "{error}");
        assert_eq!(fibra::run(sizes)[0], 8 * MIB);
    });
    let text = stderr(&output);
    assert!(output.status.success() && text.ends_with(DONE_LINE), "{text}");
}
