//! Interrupted calls that wait for a child: nothing is left behind, neither a descriptor nor a
//! zombie.

use std::io::{self, Read, Write};
use std::process::Stdio;
use std::time::Duration;

use fibra::process::Command;
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::support::{DONE_LINE, in_child, ms, name_of, stderr};

/// Returns a child that does not end, read or write until it is killed.
fn idle() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// Every call that waits for a child, each with a child that never ends.
const CALLS: &[(&str, fn())] = &[
    ("wait", || drop(idle().spawn().unwrap().wait())),
    ("wait_timeout", || drop(idle().spawn().unwrap().wait_timeout(Duration::from_secs(1000)))),
    ("wait_with_output", || drop(idle().spawn().unwrap().wait_with_output())),
    ("output", || drop(idle().output())),
    ("status", || drop(idle().status())),
    ("read", || drop(idle().spawn().unwrap().stdout.take().unwrap().read(&mut [0]))),
    ("read of errors", || drop(idle().spawn().unwrap().stderr.take().unwrap().read(&mut [0]))),
    ("write", || drop(idle().spawn().unwrap().stdin.take().unwrap().write_all(&[0; 1_000_000]))),
];

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Returns the number of open descriptors when the scheduler has opened those that it keeps.
fn descriptors_of_a_scheduler() -> usize {
    let (reader, _writer) = io::pipe().unwrap();
    assert!(fibra::io::wait_readable_timeout(&reader, ms(0)).is_err());
    descriptors() - 2
}

/// Returns when this process has no child any more, dead or alive: when the last one was reaped.
fn until_no_child_is_left() {
    // The call reports a child that has ended, and does not reap it: the library must do that.
    loop {
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(Errno::CHILD) => return,
            Ok(_) | Err(Errno::INTR) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Returns when no more descriptors are open than `before`: the reaping thread closes its own ones
/// last.
fn until_descriptors_are(before: usize) {
    let start = fibra::now();
    while before < descriptors() {
        let list = || std::fs::read_dir("/proc/self/fd").unwrap();
        let links = || list().filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
        let open = || links().collect::<Vec<_>>();
        assert!(fibra::now() - start < Duration::from_secs(30), "leaked: {:?}", open());
        fibra::sleep(ms(1));
    }
}

#[test]
fn a_killed_call_leaves_no_zombie_and_no_descriptor() {
    let test = name_of!(a_killed_call_leaves_no_zombie_and_no_descriptor);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let before = descriptors_of_a_scheduler();
            for round in 0..3 {
                for (name, call) in CALLS {
                    let fiber = fibra::spawn(*call);
                    // Kill it when it waits for its child, and in the other rounds a little later.
                    fibra::yield_now();
                    fibra::sleep(ms(round));
                    fiber.kill();
                    assert!(fiber.join().unwrap_err().is_killed(), "{name}");
                }
            }
            until_no_child_is_left();
            until_descriptors_are(before);
        });
    });
    assert!(output.status.success() && stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
fn a_call_whose_time_is_over_leaves_no_zombie_and_no_descriptor() {
    let test = name_of!(a_call_whose_time_is_over_leaves_no_zombie_and_no_descriptor);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let before = descriptors_of_a_scheduler();
            for (name, call) in CALLS {
                assert!(fibra::time::timeout(ms(3), call).is_err(), "{name}");
            }
            until_no_child_is_left();
            until_descriptors_are(before);
        });
    });
    assert!(output.status.success() && stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
fn dropped_children_are_reaped_when_they_end_also_after_the_run_and_on_plain_threads() {
    let test =
        name_of!(dropped_children_are_reaped_when_they_end_also_after_the_run_and_on_plain_threads);
    let output = in_child(test, &[], || {
        let before = descriptors();
        let spawn = || {
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            // The child lives on without its handle, until this pipe is closed.
            child.stdin.take().unwrap()
        };
        let pipes: Vec<_> = (0..20).map(|_| spawn()).collect();
        let more: Vec<_> = fibra::run(|| (0..20).map(|_| spawn()).collect());
        for pipe in pipes.iter().chain(&more) {
            let mut pipe = pipe;
            pipe.write_all(b"").unwrap();
        }
        drop((pipes, more));
        until_no_child_is_left();
        fibra::run(|| until_descriptors_are(before));
        // Do it once more, with a new thread.
        drop(spawn());
        until_no_child_is_left();
    });
    assert!(output.status.success() && stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
fn without_kill_on_drop_the_child_goes_on() {
    fibra::run(|| {
        let (mut reader, writer) = io::pipe().unwrap();
        let fiber = fibra::spawn(move || {
            let mut command = Command::new("sh");
            command.args(["-c", "read x; echo alive"]).stdin(Stdio::piped());
            let mut child = command.stdout(Stdio::from(writer)).spawn().unwrap();
            drop(command);
            let stdin = child.stdin.take();
            fibra::finally(|| drop(child.wait()), || drop(stdin));
        });
        fibra::yield_now();
        fiber.kill();
        assert!(fiber.join().unwrap_err().is_killed());
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "alive\n");
    });
}

#[test]
fn a_wait_that_was_cut_short_can_be_repeated() {
    fibra::run(|| {
        let mut child = idle().spawn().unwrap();
        assert!(fibra::time::timeout(ms(1), || child.wait()).is_err());
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
    });
}
