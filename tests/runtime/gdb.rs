//! The command `fibers` of gdb, from `examples/gdb/fibers.py`: on a process that runs, on one whose
//! symbols are gone, and on core files. Does nothing where gdb is missing or may not look at
//! another process.

#![allow(unsafe_code, reason = "lets gdb attach to the process")]

use std::fs;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fibra::{Builder, Handle, Runtime, generator};

use crate::sleep_until;
use crate::support::{CHILD, ms, name_of};

/// The environment variable that selects the end of the program.
const END: &str = "FIBRA_GDB_END";

// ---- The program that gdb looks at --------------------------------------------------------------

#[inline(never)]
fn wait_for_mail(mail: &fibra::channel::Receiver<u32>) -> u32 {
    black_box(mail.recv().unwrap_or_default())
}

#[inline(never)]
fn go_down(depth: u32) -> u32 {
    if depth == 0 {
        fibra::park();
        return 0;
    }
    black_box(go_down(depth - 1)) + 1
}

#[inline(never)]
fn wait_in_a_generator() {
    let mut numbers = generator::iter(|numbers| {
        fibra::park();
        numbers.yield_(1);
    });
    black_box(numbers.next());
}

#[inline(never)]
fn hold_the_thread() {
    println!("ready");
    loop {
        std::thread::sleep(ms(100));
        black_box(());
    }
}

/// Has a fiber in each state, on two schedulers, and never ends.
fn program() {
    let builder = Runtime::builder().threads(2).build().unwrap();
    builder.run(|| {
        let handle = Handle::current();
        handle.spawn_on(1, || go_down(black_box(3))).detach();
        let (_sender, receiver) = fibra::channel::unbounded();
        let named = |name: &str| Builder::new().name(name);
        named("mail").spawn(move || wait_for_mail(&receiver));
        named("numbers").spawn(wait_in_a_generator);
        fibra::spawn(fibra::yield_now);
        fibra::yield_now();
        sleep_until(|| handle.dump().to_string().contains("is parked at"));
        let ready = fibra::spawn(|| {
            loop {
                fibra::yield_now()
            }
        });
        fibra::yield_now();
        fibra::spawn(|| ());
        if std::env::var(END).is_ok_and(|end| end == "abort") {
            std::process::abort();
        }
        drop(ready);
        hold_the_thread();
    });
}

// ---- The tests ----------------------------------------------------------------------------------

fn has(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    let is_there = version.is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("SKIPPED: there is no {program} here");
    }
    is_there
}

/// The program, which is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `exe`, a copy of this program, so that it runs the body of the test `test`.
fn start(exe: &Path, test: &str, guards: &str) -> Running {
    let mut child = Command::new(exe)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .env("FIBRA_STACK_GUARDS", guards)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_ready = lines.map_while(Result::ok).any(|line| line.ends_with("ready"));
    assert!(is_ready, "the program has ended: {:?}", child.wait());
    Running(child)
}

/// Runs the program instead of the test, if this process is the child of one.
fn be_the_child(test: &str) {
    if std::env::var(CHILD).is_ok_and(|wanted| wanted == test) {
        // SAFETY: it changes which processes may trace this one, and nothing else.
        #[cfg(target_os = "linux")]
        unsafe {
            libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY);
        }
        program();
    }
}

fn this_exe() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Runs gdb with the script and `commands`. Returns what it prints, or `None` if it may not attach.
fn gdb(arguments: &[&str], commands: &[&str]) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gdb/fibers.py");
    let mut command = Command::new("gdb");
    command.args([
        "-nx",
        "-batch",
        "-iex",
        "set auto-load no",
        "-iex",
        "set debuginfod enabled off",
    ]);
    command.args(arguments).arg("-ex").arg(format!("source {}", script.display()));
    commands.iter().for_each(|it| _ = command.args(["-ex", it]));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("ptrace: ") {
        eprintln!("SKIPPED: gdb may not look at processes here: {errors}");
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text + "\n" + &errors)
}

/// Returns the text about the fiber with this title: from its line to that of the next one.
#[track_caller]
fn about<'a>(text: &'a str, title: &str) -> &'a str {
    let start = text.find(&format!("  {title} "));
    let rest = &text[start.unwrap_or_else(|| panic!("no {title} in:\n{text}"))..];
    let end = rest[3..].find("\n  fiber").or_else(|| rest[3..].find("\nscheduler"));
    &rest[..end.map_or(rest.len(), |end| end + 3)]
}

#[track_caller]
fn expect(text: &str, title: &str, parts: &[&str]) {
    let found = about(text, title);
    for part in parts {
        assert!(found.contains(part), "no `{part}` in:\n{found}\n\nall:\n{text}");
    }
}

/// Checks the list of the fibers and their stacks.
#[track_caller]
fn check(text: &str) {
    assert_eq!(text.matches("\nscheduler ").count(), 2, "{text}");
    expect(text, "fiber 'main' (#1)", &["runs, last waited at", "hold_the_thread"]);
    expect(
        text,
        "fiber 'mail' (#2)",
        &["is receiving on ", "gdb.rs:", " for ", ", spawned at ", " by #1\n", "wait_for_mail"],
    );
    expect(text, "fiber 'numbers' (#3)", &["is parked at ", "wait_in_a_generator"]);
    expect(text, "fiber #6", &["has not run yet, spawned at ", "(it has no stack)"]);
    expect(text, "fiber #5", &["can run", "gdb::program"]);
    let deep = text.split("\nscheduler ").nth(2).unwrap();
    expect(deep, "fiber #2", &[" by #1 of scheduler 1\n"]);
    assert_eq!(about(deep, "fiber #2").matches("gdb::go_down").count(), 4, "{text}");
    // A stack ends at the root of its fiber.
    assert!(!text.contains("fibra::sched::"), "{text}");
    assert!(!text.contains("is missing"), "{text}");
}

#[test]
fn gdb_shows_the_fibers_of_a_process_that_runs() {
    let test = name_of!(gdb_shows_the_fibers_of_a_process_that_runs);
    be_the_child(test);
    if !has("gdb") {
        return;
    }
    let running = start(&this_exe(), test, "");
    let pid = running.0.id().to_string();
    let commands = [
        "fibers bt full 1:2",
        "fibers bt",
        "echo \\n---\\n",
        "fibers bt 2:2",
        "fibers bt 7",
        "fibers bt x",
    ];
    let Some(text) = gdb(&["-p", &pid], &commands) else { return };
    let (all, one) = text.split_once("\n---\n").unwrap();
    let (full, all) = all.split_at(all.find("fiber 'main'").unwrap());
    let all = &format!("\nscheduler 1:\n  {all}");
    assert!(full.contains("fibra::sched::") && !full.contains("run_loop"), "{text}");
    check(all);
    assert!(!one.contains("fiber 'main'") && one.contains("fiber #2"), "{text}");
    assert_eq!(one.matches("gdb::go_down").count(), 4, "{text}");
    assert!(one.contains("there is no fiber 7") && one.contains("`x` is no fiber"), "{text}");
}

#[test]
fn gdb_needs_neither_symbols_nor_debug_information_to_list_fibers() {
    let test = name_of!(gdb_needs_neither_symbols_nor_debug_information_to_list_fibers);
    be_the_child(test);
    if !has("gdb") || !has("strip") {
        return;
    }
    let folder = Folder::new("stripped");
    let exe = folder.0.join("stripped");
    let arguments = ["-o".as_ref(), exe.as_os_str(), this_exe().as_os_str()].map(ToOwned::to_owned);
    assert!(Command::new("strip").args(arguments).status().unwrap().success());
    let running = start(&exe, test, "");
    let pid = running.0.id().to_string();
    let Some(text) = gdb(&["-p", &pid], &["fibers bt"]) else { return };
    expect(&text, "fiber 'mail' (#2)", &["is receiving on ", "gdb.rs:", "#3  0x"]);
    expect(&text, "fiber 'numbers' (#3)", &["is parked at "]);
}

#[test]
fn gdb_shows_the_fibers_in_a_core_file_of_gcore() {
    let test = name_of!(gdb_shows_the_fibers_in_a_core_file_of_gcore);
    be_the_child(test);
    if !has("gdb") {
        return;
    }
    // What gdb itself saves lacks all mappings with guard markers.
    for (guards, save) in [("mprotect", "generate-core-file"), ("", "fibers gcore")] {
        let folder = Folder::new("gcore");
        let core = folder.0.join("core").display().to_string();
        let running = start(&this_exe(), test, guards);
        let pid = running.0.id().to_string();
        if gdb(&["-p", &pid], &[&format!("{save} {core}")]).is_none() {
            return;
        }
        drop(running);
        let exe = this_exe().display().to_string();
        let text = gdb(&[&exe, &core], &["fibers bt"]).unwrap();
        check(&text);
        expect(&text, "fiber 'mail' (#2)", &[" for at least "]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn gdb_shows_the_fibers_in_the_core_file_of_an_abort() {
    let test = name_of!(gdb_shows_the_fibers_in_the_core_file_of_an_abort);
    be_the_child(test);
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if !has("gdb") {
        return;
    }
    if pattern.trim() != "core" {
        eprintln!("SKIPPED: core files do not go to the folder of the process, but to {pattern}");
        return;
    }
    let folder = Folder::new("abort");
    let exe = this_exe().display().to_string();
    let run =
        format!("ulimit -c unlimited; exec {exe} --exact {test} --nocapture --test-threads=1");
    let ended = Command::new("sh")
        .args(["-c", &run])
        .current_dir(&folder.0)
        .envs([(CHILD, test), (END, "abort")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!ended.success());
    let files = fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().path());
    let Some(core) = files.into_iter().next() else {
        eprintln!("SKIPPED: the kernel wrote no core file");
        return;
    };
    let text = gdb(&[&exe, &core.display().to_string()], &["fibers bt"]).unwrap();
    expect(&text, "fiber 'main' (#1)", &["runs", "abort"]);
    expect(&text, "fiber 'mail' (#2)", &["is receiving on ", "wait_for_mail"]);
    expect(&text, "fiber 'numbers' (#3)", &["is parked at ", "wait_in_a_generator"]);
}

/// A folder for the files of one test, which is removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("fibra-gdb-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
