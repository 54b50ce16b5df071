//! Checks the rules about where code may stand in `src/`: the tables first, then the checks.
//!
//! Each check takes a path and a text and returns what is wrong with them, so that the tests at the
//! end can feed it bad text and prove that it fails.

mod reading;
mod rooms;

use reading::{code_of, is_at_word, is_word, lines_with, tree_of};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that each module may use, by the first segments of a path after `crate::`. A module
/// may always use itself. `*` is everything: the top of the crate puts the layers together.
const MAY_USE: &[(&str, &[&str])] = &[
    ("collections", &[]),
    // Addresses and names; not a stack.
    ("stack_trace", &[]),
    ("stack", &["collections"]),
    ("fiber", &["collections", "stack", "stack_trace"]),
    ("sched", &["collections", "stack", "stack_trace", "fiber"]),
    // Built on what a user of the crate could also build on.
    ("sync", &["collections", "sched::lowlevel", "channel::error", "channel::face"]),
    ("channel", &["collections", "sched::lowlevel"]),
    ("select", &["fiber", "sched", "channel", "jobs", "sync"]),
    // Built on what the crate exports and on the wait lists.
    (
        "pool",
        &[
            "collections",
            "channel",
            "fiber::exit",
            "fiber::id",
            "fiber::panic",
            "sched::api::handle",
            "sched::core::hooks",
            "sched::api::join",
            "sched::lowlevel",
            "sched::core::park",
            "sched::api::scope",
            "sched::api::shield",
            "sched::api::spawn",
        ],
    ),
    // The closures of jobs run on threads, and their results come back to fibers.
    ("offload", &["fiber::cancel", "fiber::report", "sched::lowlevel", "sync"]),
    ("blocking", &["offload"]),
    // Jobs that have not started go from thread to thread; a limit of them is a semaphore.
    ("jobs", &["collections", "fiber", "future", "sched", "stack_trace", "sync"]),
    ("par", &["collections", "fiber", "future", "jobs", "sched"]),
    ("fs", &["offload", "sched::lowlevel", "sync"]),
    ("time", &["sched", "collections"]),
    ("testing", &["sched"]),
    // Documentation.
    // What a fiber carries with it, for users.
    ("context", &["fiber"]),
    ("tracing", &["context"]),
    ("cancellation", &[]),
    ("coming_from_gevent", &[]),
    ("guide", &[]),
    ("stability", &[]),
    // Readiness of descriptors, and the types that wait for it, with std's names.
    ("reactor", &["sched", "collections"]),
    ("io", &["reactor", "sched::lowlevel", "select", "sync"]),
    ("net", &["io", "reactor", "offload", "channel", "sched", "sync"]),
    (
        "server",
        &["channel", "net", "pool", "fiber::exit", "future", "jobs", "par", "sched", "sync"],
    ),
    ("signal", &["collections", "fiber::report", "io", "reactor", "sched", "watchdog"]),
    ("process", &["io", "reactor", "signal", "sched", "sync"]),
    // TLS over everything that can be read and written.
    ("tls", &["io", "net", "offload", "sched::lowlevel", "sync", "time"]),
    // A client of others over its sockets.
    ("ureq", &["net", "sched::lowlevel", "sync", "time", "tls"]),
    // Futures on fibers.
    ("future", &["collections", "fiber::exit", "fiber::state", "reactor::background", "sched"]),
    // What other programs see of a runtime, on a socket and a thread of its own.
    ("inspect", &["jobs", "net::sockets", "sched::time"]),
    // HTTP on all of these.
    (
        "http",
        &[
            "fiber::brief",
            "fs",
            "future",
            "io",
            "net",
            "offload",
            "sched::api::handle",
            "sched::api::join",
            "sched::api::spawn",
            "sched::lowlevel",
            "sync",
            "time",
            "tls",
        ],
    ),
    // Façades over call stacks on top of a fiber's: they need no scheduler.
    ("generator", &["collections", "stack", "fiber"]),
    ("greenlet", &["collections", "stack", "fiber"]),
    ("stackless", &["collections", "stack", "fiber", "sched", "channel", "select"]),
    // Looks at schedulers, from a thread of its own.
    ("watchdog", &["collections", "fiber", "sched", "stack_trace"]),
    // Schedulers and a runtime of tokio on one thread.
    ("host", &["*"]),
    ("runtime", &["*"]),
    ("program", &["*"]),
    ("build_info", &[]),
    ("lib", &["*"]),
];

/// The path of a file, and the reason.
type UnsafeFile = (&'static str, &'static str);

/// The files that may contain `unsafe`, each with the reason.
const UNSAFE_FILES: &[UnsafeFile] = &[
    ("src/stack/slab.rs", "maps, discards and unmaps the memory of stacks"),
    ("src/stack/guard.rs", "changes the protection of memory"),
    ("src/stack/altstack.rs", "maps memory and registers it with sigaltstack"),
    ("src/stack/overflow.rs", "installs and runs a signal handler"),
    ("src/stack/marker.rs", "system calls that the libc crate does not wrap"),
    ("src/stack/limits.rs", "reads resource limits"),
    ("src/stack/shadow.rs", "a system call that the libc crate does not wrap"),
    ("src/stack/testing.rs", "probes addresses by a system call"),
    ("src/stack/report.rs", "reads a name in a signal handler"),
    ("src/stack/slot.rs", "saves a check on the path of a switch"),
    ("src/collections/run_ring.rs", "pointers in place of indices on the path of a switch"),
    ("src/collections/once_box.rs", "refers to a box through an atomic pointer"),
    ("src/collections/layout.rs", "reads samples as words, to measure where they keep their parts"),
    ("src/fiber/block.rs", "allocates the records of fibers"),
    ("src/sched/api/run.rs", "the main fiber borrows from the caller of `run`"),
    ("src/channel/waiter.rs", "moves values between the stacks of two fibers"),
    ("src/sync/mutex.rs", "lends the data of a lock"),
    ("src/sync/rwlock.rs", "lends the data of a lock"),
    ("src/sync/futures.rs", "lets guards of tasks change their thread"),
    ("src/sync/reentrant.rs", "shares data that stays on one thread at a time"),
    ("src/fiber/context.rs", "context switches"),
    ("src/fiber/switch.rs", "switches to fibers and away from them"),
    ("src/fiber/shelves.rs", "links free memory, and gives it back"),
    ("src/fiber/shelves/tests.rs", "takes and gives blocks"),
    ("src/fiber/chunk.rs", "allocates chunks of records, and links their free blocks"),
    ("src/fiber/header.rs", "counts references to a type-erased allocation"),
    ("src/fiber/task.rs", "erases the types of a closure and its output"),
    ("src/fiber/carried.rs", "follows the list of regions on stacks"),
    ("src/fiber/cancel.rs", "links records on the fiber's stack"),
    ("src/fiber/wait_list.rs", "links nodes on the stacks of waiting fibers"),
    ("src/fiber/wait_list/tests.rs", "links nodes as fibers that wait do"),
    ("src/fiber/locals.rs", "lends references into boxes that outlive the fiber's code"),
    ("src/fiber/coroutine.rs", "switches stacks that stand on others"),
    ("src/fiber/borrowed_stack.rs", "links what stands on stacks, and gives a stack back"),
    ("src/fiber/frame.rs", "counts a reference through a thread's pointer"),
    ("src/fiber/abandoned.rs", "registers a function with the C library, and ends the process"),
    ("src/fiber/walk.rs", "resumes fibers, and walks their frames"),
    ("src/fiber/current.rs", "follows the pointer to the thread's pool"),
    ("src/generator/core.rs", "resumes coroutines, and erases the types of generators"),
    ("src/generator/yielder.rs", "moves values between two stacks"),
    ("src/generator/scope.rs", "lengthens the lifetime of what a scope outlives"),
    ("src/greenlet/ancestry.rs", "follows the pointer to a killer"),
    ("src/greenlet/context.rs", "follows the pointer to the current greenlet, and leaves stacks"),
    ("src/greenlet/core.rs", "moves values between the stacks of one thread"),
    ("src/greenlet/end.rs", "follows pointers to the running record, and to a killer"),
    ("src/greenlet/kill.rs", "resumes coroutines"),
    ("src/greenlet/running.rs", "makes a handle of the current greenlet"),
    ("src/greenlet/switch.rs", "resumes and suspends coroutines"),
    ("src/greenlet/throw.rs", "delivers what is raised"),
    ("src/reactor/names.rs", "asks for the addresses of descriptors by their numbers"),
    ("src/reactor/source.rs", "places nodes in lists for the duration of a wait"),
    ("src/http/io.rs", "reads into buffers of hyper that are not initialised"),
    ("src/io/async_traits.rs", "reads into buffers of tokio that are not initialised"),
    ("src/io/uninit_buf.rs", "reads into memory that is not initialised"),
    ("src/reactor/portable.rs", "promises `polling` that sources are deleted in time"),
    ("src/signal/action.rs", "registers and emulates the actions of signals"),
    ("src/fiber/prefetch.rs", "the prefetch instruction"),
    ("src/sched/core/scheduler.rs", "reaches the run ring without a borrow flag"),
    ("src/sched/core/run_loop.rs", "resumes fibers"),
    ("src/sched/core/debugger.rs", "names the section of a static, and reads a clock"),
    ("src/sched/core/leave.rs", "calls the context switch"),
    ("src/sched/core/choose.rs", "places nodes in lists for the time of a wait"),
    ("src/sched/api/visit.rs", "creates a main fiber, whose closure borrows nothing"),
    ("src/sched/api/spawn.rs", "erases the types of closures and their outputs"),
    ("src/sched/api/join.rs", "reads the output of a type-erased fiber"),
    ("src/sched/api/scope.rs", "lends borrows to fibers that end before the scope does"),
    ("src/sched/core/end.rs", "calls the type-erased functions of a fiber"),
    ("src/sched/core/pause.rs", "void entries of the ring hold references to records"),
    ("src/sched/shared/outside.rs", "lists waits that lie on the stacks of fibers"),
    ("src/sched/threads/outside.rs", "lists waits that lie on the stacks of fibers"),
    ("src/sched/futures/task.rs", "makes wakers of bits"),
    ("src/jobs/job.rs", "declares what only one owner may call; an uncounted pointer"),
    ("src/jobs/job_cell.rs", "moves closures and outcomes between threads"),
    ("src/jobs/remote_handle.rs", "is the one handle that may take the outcome of a job"),
    ("src/par/scope.rs", "lends borrows to jobs that end before the scope does"),
    ("src/par/join.rs", "lends a frame to a job that ends before the frame is left"),
    ("src/offload/scoped.rs", "lets a thread borrow from a frame that outlives the job"),
    ("src/sched/core/abandon.rs", "leaves a stack for the last time"),
    ("src/sched/core/create.rs", "erases the types of closures and their outputs"),
    ("src/sched/time/alarm.rs", "the wheel points to records on the stacks of fibers"),
    ("src/sched/core/watch.rs", "lends the counter of switches to another thread"),
    ("src/sched/core/watched.rs", "lends the counter of switches to another thread"),
    ("src/watchdog/sample.rs", "installs and runs a signal handler"),
    ("src/watchdog/watch.rs", "reads the counters of other threads' schedulers"),
    ("src/sched/core/children.rs", "children point to a record on their parent's stack"),
];

/// Words of code, each with the only files in which it may stand, and the reason.
const ONLY_IN: &[(&str, &[&str], &str)] = &[
    ("corosensei", &["src/fiber/context.rs"], "one file switches stacks"),
    (
        "thread_local!",
        // All but the first are for tests.
        &[
            "src/fiber/current.rs",
            "src/stack/reserve.rs",
            "src/collections/publish.rs",
            "src/runtime/observed.rs",
        ],
        "what belongs to a thread must be found at a glance, and is not the fiber's",
    ),
    (
        "thread::Builder",
        // The third and the fourth one wait for children, and for events, which would keep a
        // thread of a pool from its jobs; the fifth is joined by the function that starts it; the
        // sixth must answer while the schedulers do not; the last one belongs to a test.
        &[
            "src/offload/worker.rs",
            "src/jobs/threads.rs",
            "src/process/orphans.rs",
            "src/reactor/background.rs",
            "src/stack_trace/symbols.rs",
            "src/inspect/mod.rs",
            // They look at all others, and write what they have found.
            "src/watchdog/watch.rs",
            "src/watchdog/writer.rs",
            // It waits for signals until the process ends.
            "src/signal/attendant.rs",
            "src/stack/overflow.rs",
        ],
        "the offload pool owns threads for blocking calls, and a runtime those of its schedulers",
    ),
    (
        "thread::panicking",
        &[
            "src/sched/core/unwinding.rs",
            // They ask whether anything may be raised on this thread now.
            "src/sched/tasklet/throw.rs",
            "src/sched/deadlock/victim.rs",
            "src/sched/api/run.rs",
            "src/sched/api/visit.rs",
            "src/sched/core/run_loop.rs",
            "src/sched/turn.rs",
            "src/fiber/coroutine.rs",
            "src/fiber/frame.rs",
            "src/generator/yielder.rs",
            "src/greenlet/header.rs",
            "src/greenlet/kill.rs",
            "src/greenlet/switch.rs",
            "src/stackless/throwing.rs",
            "src/stackless/time_slice.rs",
        ],
        "it tells of the thread: on behalf of one fiber ask `sched/core/unwinding.rs`",
    ),
    ("Instant::now", &["src/sched/time/clock.rs"], "time is read once a turn, and may be virtual"),
];

/// Folders, a word that may not stand there, and why.
type Stranger = (&'static [&'static str], &'static str, &'static str);

/// Words of code that may not stand in some folders.
const NEVER_IN: &[Stranger] = &[
    // Code that calls users' callbacks, tracers and destructors holds no uncounted pointer: the
    // fiber may end meanwhile, and its record may go to another fiber.
    (
        &["src/stackless/", "src/select/", "src/generator/", "src/greenlet/", "src/pool/"],
        "FiberPtr",
        "user code runs between the calls of these folders: hold a `FiberRef`, and pass \
         `fiber.ptr()` on at once",
    ),
    (
        &["src/stackless/", "src/select/", "src/generator/", "src/greenlet/", "src/pool/"],
        ".ptr();",
        "it would be kept in a variable: pass it on at once",
    ),
];

/// The limit of the lines of a file. Files grow until they are split: aim at 400.
const MAX_LINES: usize = 500;

/// The greatest distance of a comment above its `unsafe`: a statement may begin lines before it.
const SAFETY_DISTANCE: usize = 4;

type Check = fn(&str, &str) -> Vec<String>;

const CHECKS: &[Check] = &[
    check_layers,
    check_unsafe_is_listed,
    check_homes,
    check_strangers,
    check_opening,
    check_length,
    check_safety_comments,
    check_lib_has_no_logic,
];

#[test]
fn the_sources_obey_the_rules() {
    let mut faults = check_required_files(UNSAFE_FILES, |path| root().join(path).exists());
    let mut read = Vec::new();
    for path in sources(&root().join("src")) {
        let text = fs::read_to_string(&path).expect("a source file is readable UTF-8");
        let relative = path.strip_prefix(root()).expect("a source file is below the root");
        let relative = relative.to_string_lossy().replace('\\', "/");
        faults.extend(CHECKS.iter().flat_map(|check| check(&relative, &text)));
        read.push((relative, text));
    }
    faults.extend(rooms::check(&read));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every `.rs` file below `folder`, in the order of their paths.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a source folder is readable");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    files.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

// ---- The checks ---------------------------------------------------------------------------------

/// Returns the module at the top of the crate that `path` belongs to.
fn layer_of(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    inside.split(['/', '.']).next().unwrap_or(inside)
}

fn check_layers(path: &str, text: &str) -> Vec<String> {
    let layer = layer_of(path);
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == layer) else {
        return vec![format!(
            "{path}: `{layer}` is in no layer. Give it a row in MAY_USE of tests/layering."
        )];
    };
    let mut faults = Vec::new();
    for (line, used) in used_paths(path, text) {
        if used == "super" || used.starts_with("super::") {
            faults.push(format!(
                "{path}:{line}: `super::super` hides which layer is used. Write `crate::...`."
            ));
            continue;
        }
        let may = |prefix: &&str| {
            let rest = used.strip_prefix(*prefix);
            *prefix == "*" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if !allowed.iter().chain([&layer]).any(may) {
            faults.push(format!(
                "{path}:{line}: `{layer}` may not use `crate::{used}`, only {allowed:?}. Name the \
                 module that owns the thing, or move it down a layer, or turn the call round with \
                 a trait or a hook."
            ));
        }
    }
    faults.dedup();
    faults
}

/// Returns every path that leads out of the file, with its line: what follows `crate::`, and what
/// follows a `super::` that means the crate's root or climbs further. Braces are written out.
fn used_paths(path: &str, text: &str) -> Vec<(usize, String)> {
    let code = code_of(text);
    let super_is_root = path.ends_with("/mod.rs") && path.matches('/').count() == 2;
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            // `$crate::` in an exported macro is the crate as its users see it.
            if code[..at].ends_with(|c: char| c == '$' || is_word(c)) {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            for used in tree_of(&mut code[at + start.len()..].chars().peekable()) {
                let leads_to_a_layer = MAY_USE.iter().any(|(name, _)| *name == layer_of(&used));
                if start == "crate::"
                    || used.split("::").next() == Some("super")
                    || (super_is_root && leads_to_a_layer)
                {
                    paths.push((line, used));
                }
            }
        }
    }
    paths
}

fn check_required_files(files: &[UnsafeFile], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let missing = files.iter().filter(|(path, _)| !exists(path));
    missing
        .map(|(path, _)| {
            format!("{path}: gone. Take it out of UNSAFE_FILES, or write its new name there.")
        })
        .collect()
}

fn check_unsafe_is_listed(path: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    // Long attributes are broken into lines.
    let joined: String = code.split_whitespace().collect();
    if UNSAFE_FILES.iter().any(|(listed, ..)| *listed == path) {
        if joined.contains("#![allow(unsafe_code") {
            return Vec::new();
        }
        return vec![format!(
            "{path}: is in UNSAFE_FILES and opens without `#![allow(unsafe_code, reason = ..)]`. \
             Take it out of the table if it needs no unsafe code any more."
        )];
    }
    let used = lines_with(&code, "unsafe").into_iter().map(|line| {
        format!(
            "{path}:{line}: `unsafe` in a file that is not listed. Use a safe function of a file \
             that is, or add this one to UNSAFE_FILES of tests/layering with its reason."
        )
    });
    let lifts_the_lint = ["allow", "expect", "warn"].map(|level| format!("{level}(unsafe_code"));
    let lifted = lifts_the_lint.iter().any(|attribute| joined.contains(attribute)).then(|| {
        format!("{path}: allows unsafe code and is not in UNSAFE_FILES of tests/layering.")
    });
    used.chain(lifted).collect()
}

fn check_homes(path: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    let strays = ONLY_IN.iter().filter(|(_, homes, _)| !homes.contains(&path));
    strays
        .flat_map(|(word, homes, why)| {
            lines_with(&code, word).into_iter().map(move |line| {
                format!("{path}:{line}: `{word}` may stand only in {homes:?}: {why}.")
            })
        })
        .collect()
}

fn check_strangers(path: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    let is_in = |folders: &&[&str]| folders.iter().any(|folder| path.starts_with(folder));
    let banned = NEVER_IN.iter().filter(|(folders, ..)| is_in(folders));
    banned
        .flat_map(|&(_, word, why)| {
            let lines = code.lines().enumerate().filter(move |(_, line)| line.contains(word));
            lines
                .map(move |(i, _)| format!("{path}:{}: `{word}` may not stand here: {why}.", i + 1))
        })
        .collect()
}

fn check_opening(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//!") {
        return Vec::new();
    }
    vec![format!(
        "{path}:1: open the file with `//!`: one sentence on what it owns, then its invariants."
    )]
}

fn check_length(path: &str, text: &str) -> Vec<String> {
    let n_lines = text.lines().count();
    if n_lines <= MAX_LINES {
        return Vec::new();
    }
    vec![format!("{path}: {n_lines} lines, allowed are {MAX_LINES}. Split it by what it owns.")]
}

fn check_safety_comments(path: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    let lines: Vec<_> = text.lines().collect();
    let undocumented = code.lines().enumerate().filter(|(i, line)| {
        let mut words = line.match_indices("unsafe").map(|(at, word)| &line[at + word.len()..]);
        let dangerous = |rest: &str| {
            let rest = rest.trim_start();
            rest.is_empty() || rest.starts_with('{') || is_at_word(rest, "impl")
        };
        words.any(dangerous) && !has_safety_comment(&lines[..=*i])
    });
    undocumented
        .map(|(i, _)| {
            format!(
                "{path}:{}: `unsafe` without a `// SAFETY:` comment directly above it. Name each \
                 obligation of the callee and who discharges it.",
                i + 1
            )
        })
        .collect()
}

/// Returns whether the last line, or a comment that ends at most `SAFETY_DISTANCE` lines above it,
/// contains `SAFETY`. Lines of comments do not count as distance: a note may have any length.
fn has_safety_comment(lines: &[&str]) -> bool {
    let mut distance = 0;
    for line in lines.iter().rev() {
        if line.contains("SAFETY") {
            return true;
        }
        distance += usize::from(!line.trim_start().starts_with("//"));
        if SAFETY_DISTANCE < distance {
            return false;
        }
    }
    false
}

fn check_lib_has_no_logic(path: &str, text: &str) -> Vec<String> {
    if path != "src/lib.rs" {
        return Vec::new();
    }
    let lines = lines_with(&code_of(text), "fn").into_iter();
    lines
        .map(|line| {
            format!(
                "{path}:{line}: a `fn` in lib.rs. It holds docs, modules in reading order and \
                 re-exports; put the function into the module that owns it."
            )
        })
        .collect()
}

// ---- Each check can fail ------------------------------------------------------------------------

/// Asserts that `check` finds `n` faults in `text`, and that each contains `fault`.
#[track_caller]
fn finds(check: Check, path: &str, text: &str, fault: &str, n: usize) {
    let faults = check(path, text);
    assert_eq!(faults.len(), n, "{faults:#?}");
    assert!(faults.iter().all(|found| found.contains(fault)), "no {fault:?} in {faults:#?}");
}

#[track_caller]
fn accepts(check: Check, path: &str, text: &str) {
    finds(check, path, text, "", 0);
}

#[test]
fn a_layer_may_not_reach_up() {
    let path = "src/stack/pool.rs";
    finds(check_layers, path, "use crate::sched::park;", "may not use `crate::sched::park`", 1);
    finds(check_layers, path, "fn f() {\n    crate::fiber::g()\n}", "pool.rs:2:", 1);
    finds(check_layers, path, "use crate::{collections, sched};", "`crate::sched`", 1);
    finds(
        check_layers,
        path,
        "use crate::{\n    a::{b, c::d},\n    stack::e,\n};",
        "`crate::a::",
        2,
    );
    finds(check_layers, path, "use crate::Fiber;", "`crate::Fiber`", 1);
    finds(check_layers, "src/stack/mod.rs", "use super::sched;", "`crate::sched`", 1);
    accepts(check_layers, path, "use crate::collections::x;\nuse crate::stack::y;");
    accepts(check_layers, path, "// crate::sched\n\"crate::sched\"; $crate::sched; super::sched");
    accepts(check_layers, "src/runtime.rs", "use crate::{sched, reactor::x, Fiber};");
}

#[test]
fn the_prefix_of_a_path_counts_by_segments() {
    let path = "src/sync/mutex.rs";
    accepts(check_layers, path, "use crate::sched::lowlevel::{park, WaitList};");
    finds(check_layers, path, "use crate::sched::{lowlevel, run_loop};", "run_loop", 1);
    finds(check_layers, path, "use crate::sched::lowlevel_not;", "lowlevel_not", 1);
}

#[test]
fn no_path_climbs_two_modules() {
    finds(check_layers, "src/fiber/x/y.rs", "use super::super::z;", "Write `crate::", 1);
    finds(check_layers, "src/fiber/x/y.rs", "use super::{super::z, w};", "Write `crate::", 1);
    finds(check_layers, "src/fiber/x/y.rs", "use super::super::{z, w};", "Write `crate::", 1);
    accepts(check_layers, "src/fiber/x/y.rs", "use super::{z, w};");
}

#[test]
fn a_module_without_a_row_is_refused() {
    finds(check_layers, "src/novel/mod.rs", "//! New.", "`novel` is in no layer", 1);
}

#[test]
fn unsafe_stands_only_in_listed_files() {
    let (listed, other) = ("src/fiber/switch.rs", "src/fiber/state.rs");
    finds(check_unsafe_is_listed, other, "fn f() {\n unsafe { g() }\n}", "state.rs:2:", 1);
    finds(check_unsafe_is_listed, other, "#![allow(unsafe_code)]", "allows unsafe code", 1);
    finds(check_unsafe_is_listed, listed, "//! No unsafe.\n", "opens without", 1);
    accepts(check_unsafe_is_listed, listed, "#![allow(\n    unsafe_code,\n)]\nunsafe {}");
    accepts(check_unsafe_is_listed, other, "#![forbid(unsafe_code)]\n// unsafe\n\"unsafe\"");
}

#[test]
fn a_required_file_must_exist() {
    let files = [("src/a.rs", ""), ("src/b.rs", "")];
    assert_eq!(check_required_files(&files, |path| path == "src/b.rs").len(), 1);
    assert_eq!(check_required_files(&files, |_| true).len(), 0);
}

#[test]
fn words_stay_at_home() {
    let path = "src/sched/core/park.rs";
    finds(check_homes, path, "use corosensei::Coroutine;", "one file switches", 1);
    finds(check_homes, path, "std::thread_local! { }", "thread_local!", 1);
    finds(check_homes, path, "\nInstant::now()", "park.rs:2: `Instant::now`", 1);
    accepts(check_homes, path, "// corosensei\nInstant::now_or_never; \"thread_local!\"");
    accepts(check_homes, "src/sched/time/clock.rs", "Instant::now()");
}

#[test]
fn where_user_code_runs_fibers_are_counted() {
    let path = "src/stackless/x.rs";
    finds(check_strangers, path, "use a::FiberPtr;", "x.rs:1: `FiberPtr` may not", 1);
    finds(check_strangers, path, "f();\nlet kept = fiber.ptr();", "x.rs:2: `.ptr();`", 1);
    accepts(check_strangers, path, "// FiberPtr\nsched.unpause(fiber.ptr());");
    accepts(check_strangers, "src/sched/x.rs", "use a::FiberPtr;");
}

#[test]
fn files_open_with_what_they_own_and_end_in_time() {
    finds(check_opening, "src/a.rs", "use std::fs;\n//! Late.", "open the file", 1);
    accepts(check_opening, "src/a.rs", "//! Owns a.");
    finds(check_length, "src/a.rs", &"\n".repeat(MAX_LINES + 1), "501 lines", 1);
    accepts(check_length, "src/a.rs", &"\n".repeat(MAX_LINES));
}

#[test]
fn unsafe_needs_a_safety_comment() {
    let bare = ["let x = unsafe { f() };", "unsafe impl Send for X {}", "let x = unsafe\n{ f() };"];
    for text in bare {
        finds(check_safety_comments, "src/a.rs", text, "a.rs:1: `unsafe` without", 1);
        accepts(check_safety_comments, "src/a.rs", &format!("// SAFETY: so.\n// And so.\n{text}"));
    }
    let far = format!("// SAFETY: of another.\n{}{}", "f();\n".repeat(SAFETY_DISTANCE), bare[0]);
    finds(check_safety_comments, "src/a.rs", &far, "a.rs:6:", 1);
    accepts(check_safety_comments, "src/a.rs", "unsafe fn f() {}\nunsafe extern \"C\" {}");
}

#[test]
fn lib_has_no_function() {
    finds(check_lib_has_no_logic, "src/lib.rs", "//! fn\npub fn run() {}", "lib.rs:2:", 1);
    accepts(check_lib_has_no_logic, "src/lib.rs", "mod fn_like;\n/// fn\npub use a::b;");
    accepts(check_lib_has_no_logic, "src/runtime.rs", "fn f() {}");
}
