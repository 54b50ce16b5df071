//! Fibers that hold their thread for too long, each in a process of its own, which goes on until
//! its report was read.

#![allow(clippy::disallowed_methods, reason = "blocks threads, and sleeps")]

use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use crate::support::{OnDrop, in_child, ms, name_of, quiet_panic, stderr, this_program};

/// Names the kind of hog for a child.
const KIND: &str = "FIBRA_TEST_HOG";

/// How long a child may take to report: a loaded machine is slow.
const LONGEST: Duration = Duration::from_secs(240);

type Hog = fn(&AtomicBool);

/// The kinds of hogs, each with its function, a part of the trace, and a part of the advice.
const KINDS: &[(&str, Hog, &str)] = &[
    ("computes", hog_that_computes, ""),
    ("sleeps", hog_that_sleeps, "use `fibra::sleep`"),
    ("locks", hog_that_locks, "a lock of std"),
    ("locks_parking_lot", hog_that_locks_parking_lot, "a lock of parking_lot"),
    ("receives", hog_that_receives, "a channel that blocks the thread"),
    ("allocates", hog_that_allocates, ""),
    ("unwinds", hog_that_unwinds, ""),
    ("panics", hog_that_panics, ""),
    #[cfg(target_os = "linux")]
    ("loads", hog_that_loads, ""),
];

#[inline(never)]
fn hog_that_computes(over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

#[inline(never)]
fn hog_that_sleeps(over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        thread::sleep(ms(50));
    }
}

/// Runs `f` while another thread waits for `over`, and then for `release` to be dropped.
fn beside(over: &AtomicBool, release: impl Send, f: impl FnOnce()) {
    thread::scope(|scope| {
        scope.spawn(move || {
            hog_that_sleeps(over);
            drop(release);
        });
        f();
    });
}

#[inline(never)]
fn hog_that_locks(over: &AtomicBool) {
    let lock = Mutex::new(());
    thread::scope(|scope| {
        let (locked, is_locked) = mpsc::channel();
        let held = &lock;
        scope.spawn(move || {
            let _guard = held.lock().unwrap();
            locked.send(()).unwrap();
            hog_that_sleeps(over);
        });
        is_locked.recv().unwrap();
        drop(lock.lock().unwrap());
    });
}

#[inline(never)]
fn hog_that_locks_parking_lot(over: &AtomicBool) {
    let lock = parking_lot::Mutex::new(());
    thread::scope(|scope| {
        let (locked, is_locked) = mpsc::channel();
        let held = &lock;
        scope.spawn(move || {
            let _guard = held.lock();
            locked.send(()).unwrap();
            hog_that_sleeps(over);
        });
        is_locked.recv().unwrap();
        drop(lock.lock());
    });
}

#[inline(never)]
fn hog_that_receives(over: &AtomicBool) {
    let (sender, receiver) = mpsc::channel::<()>();
    beside(over, sender, || assert!(receiver.recv().is_err()));
}

#[inline(never)]
fn hog_that_allocates(over: &AtomicBool) {
    let mut kept = Vec::new();
    let mut n = 0;
    while !over.load(Ordering::Relaxed) {
        n += 1;
        kept.push(vec![1_u8; n % 4000]);
        kept.truncate(n % 50);
    }
}

#[inline(never)]
fn hog_that_unwinds(over: &AtomicBool) {
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _hogs = OnDrop(|| hog_that_computes(over));
        quiet_panic("on");
    }));
    assert!(unwound.is_err());
}

/// Spends its time in the unwinder.
#[inline(never)]
fn hog_that_panics(over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        assert!(catch_unwind(|| quiet_panic("again")).is_err());
    }
}

/// Spends its time in the loader, much of it under the loader's locks.
#[cfg(target_os = "linux")]
#[inline(never)]
#[allow(unsafe_code, reason = "loads a library")]
fn hog_that_loads(over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        // SAFETY: the names end with a zero, and the library has no code that runs when it is
        // loaded.
        unsafe {
            let library = libc::dlopen(c"libresolv.so.2".as_ptr(), libc::RTLD_NOW);
            if !library.is_null() {
                libc::dlclose(library);
            }
        }
    }
}

/// Runs the fiber that hogs, until the parent closes the standard input.
fn be_hog(hog: Hog) {
    let over = Arc::new(AtomicBool::new(false));
    let is_told = over.clone();
    let listens = thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        is_told.store(true, Ordering::Relaxed);
    });
    let runtime = fibra::Runtime::builder().hog_limit(ms(20)).build().unwrap();
    runtime.run(|| fibra::Builder::new().name("hog").spawn(move || hog(&over)).join().unwrap());
    listens.join().unwrap();
}

/// Returns the first report of the hog of that kind.
fn report_of(test: &str, kind: &str) -> String {
    let mut command = this_program();
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(KIND, kind);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (sender, read) = mpsc::channel();
    let reader = thread::spawn(move || {
        lines.map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    let first = read.recv_timeout(LONGEST);
    // The report is written as a whole. If it is late, the hog is told to end, too.
    drop(child.stdin.take());
    let status = child.wait().unwrap();
    reader.join().unwrap();
    let rest: Vec<_> = read.iter().take_while(|line| line.starts_with(' ')).collect();
    assert!(status.success(), "{kind}: {status}: {first:?} {rest:?}");
    let first = first.unwrap_or_else(|error| panic!("{kind} was not reported: {error}"));
    format!("{first}\n{}", rest.join("\n"))
}

#[test]
#[cfg(not(sanitized))]
fn hogs_are_named_with_their_stacks_wherever_they_are() {
    if let Ok(kind) = std::env::var(KIND) {
        let (_, hog, _) = KINDS.iter().find(|(name, ..)| *name == kind).unwrap();
        return be_hog(*hog);
    }
    for (kind, _, advice) in KINDS {
        let report = report_of(name_of!(hogs_are_named_with_their_stacks_wherever_they_are), kind);
        let begins = "fibra: hog: fiber 'hog' (#2) has held its thread for ";
        assert!(report.starts_with(begins), "{kind}: {report}");
        assert!(
            report.contains("\n  it was spawned at tests/runtime/hogs.rs:"),
            "{kind}: {report}"
        );
        let has_stacks = cfg!(all(
            feature = "diagnostics",
            target_os = "linux",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ));
        if has_stacks {
            let function = format!("hog_that_{kind}");
            assert!(report.contains(&function), "{kind}: {report}");
            assert!(!report.contains("more frames follow"), "{kind}: {report}");
            assert!(!report.contains("trampoline"), "{kind}: {report}");
            assert!(report.contains(advice), "{kind}: {report}");
            assert_eq!(report.contains("blocks all fibers"), !advice.is_empty(), "{report}");
        }
    }
}

#[test]
fn waits_and_blocking_calls_on_other_threads_are_no_hogs() {
    let name = name_of!(waits_and_blocking_calls_on_other_threads_are_no_hogs);
    let output = in_child(name, &[], || {
        let builder = fibra::Runtime::builder().hog_limit(Duration::from_secs(1));
        builder.build().unwrap().run(|| {
            let sleeper = fibra::spawn(|| fibra::sleep(ms(2500)));
            fibra::blocking(|| thread::sleep(ms(2500)));
            sleeper.join().unwrap();
        });
    });
    let text = stderr(&output);
    assert!(output.status.success() && !text.contains("hog:"), "{text}");
}

#[test]
fn a_runtime_with_a_virtual_clock_is_not_watched() {
    let name = name_of!(a_runtime_with_a_virtual_clock_is_not_watched);
    let output = in_child(name, &[], || {
        let builder = fibra::Runtime::builder().hog_limit(ms(10)).virtual_clock();
        builder.build().unwrap().run(|| thread::sleep(ms(500)));
    });
    let text = stderr(&output);
    assert!(output.status.success() && !text.contains("hog:"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_threads_of_the_watchdog_end_with_the_last_runtime() {
    fn threads() -> Vec<String> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        let names = tasks.filter_map(|task| name(task.ok()?).ok());
        names.filter(|name| name.starts_with("fibra-")).collect()
    }
    let name = name_of!(the_threads_of_the_watchdog_end_with_the_last_runtime);
    let output = in_child(name, &[], || {
        let limited = || fibra::Runtime::builder().hog_limit(ms(10)).build().unwrap();
        limited().run(|| {
            // A thread has its name a moment after it was started.
            while threads() != ["fibra-watchdog\n"] {
                fibra::sleep(ms(1));
            }
            // On another thread, so that there is a second runtime.
            fibra::blocking(move || limited().run(|| thread::sleep(ms(300))));
            assert!(threads().contains(&"fibra-watchdog\n".into()));
        });
        assert!(!threads().iter().any(|name| name.contains("watch") || name.contains("report")));
    });
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_environment_sets_the_limit_of_runtimes_that_have_none() {
    let name = name_of!(the_environment_sets_the_limit_of_runtimes_that_have_none);
    let hogs = || fibra::run(|| thread::sleep(ms(1500)));
    let output = in_child(name, &[("FIBRA_HOG_LIMIT", "20")], hogs);
    let text = stderr(&output);
    assert!(text.contains("hog: fiber 'main' (#1) has held its thread for "), "{text}");
}
