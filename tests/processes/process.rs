//! Child processes: their settings, their output, and how they end.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;

use fibra::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use fibra::signal::Signal;

use crate::support::{go, ms, run_virtually};

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// More output than fits into any pipe.
const MUCH: &str = "head -c 3000000 /dev/zero";

#[test]
fn a_child_that_fills_its_errors_first_is_read_all_the_same() {
    let script = format!("{MUCH} >&2; {MUCH}; echo end; echo bad >&2");
    let check = || {
        let output = sh(&script).output().unwrap();
        assert!(output.status.success());
        assert_eq!((output.stdout.len(), output.stderr.len()), (3_000_004, 3_000_004));
        assert!(output.stdout.ends_with(b"\0end\n") && output.stderr.ends_with(b"\0bad\n"));
    };
    fibra::run(check);
    check();
}

#[test]
fn other_fibers_run_while_one_waits_for_a_child() {
    fibra::run(|| {
        let mut child = sh("read line; exit $line").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The child ends only if this fiber runs while main waits.
        go(move || stdin.write_all(b"5\n").unwrap());
        assert_eq!(child.wait().unwrap().code(), Some(5));
    });
}

#[test]
fn a_status_stays_and_a_wait_can_be_repeated() {
    let check = || {
        let mut child = sh("read line; exit 3").stdin(Stdio::piped()).spawn().unwrap();
        assert!(child.try_wait().unwrap().is_none());
        let late = child.stdin.take();
        for _ in 0..2 {
            let error = child.wait_timeout(ms(1)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        drop(late);
        for _ in 0..2 {
            assert_eq!(child.wait().unwrap().code(), Some(3));
            assert_eq!(child.wait_timeout(ms(0)).unwrap().code(), Some(3));
            assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(3));
        }
        child.kill().unwrap();
        child.signal(Signal::SIGTERM).unwrap();
    };
    fibra::run(check);
    check();
}

#[test]
fn waiting_closes_stdin() {
    fibra::run(|| {
        let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(cat.wait().unwrap().success());
        let cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        assert!(cat.wait_with_output().unwrap().status.success());
    });
}

#[test]
fn kill_and_signal_end_a_child_with_that_signal() {
    fibra::run(|| {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        child.signal(Signal::SIGUSR1).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(10));
        let error = child.signal(Signal::from_raw(40).unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

/// A child may switch its end of a pipe to packets (`O_DIRECT`): then each packet ends a read.
#[test]
#[cfg(target_os = "linux")]
fn packets_in_a_pipe_are_read_one_after_the_other() {
    use fibra::process::ChildStdout;
    use rustix::pipe::{PipeFlags, pipe_with};
    fibra::run(|| {
        let (reader, writer) = pipe_with(PipeFlags::DIRECT | PipeFlags::CLOEXEC).unwrap();
        let mut reader = ChildStdout::from_std(reader.into()).unwrap();
        let reads = fibra::spawn(move || {
            let mut read = || {
                let mut buffer = [0; 8];
                let length = reader.read(&mut buffer).unwrap();
                String::from_utf8_lossy(&buffer[..length]).into_owned()
            };
            [read(), read(), read()]
        });
        fibra::yield_now();
        for packet in ["a", "b", "c"] {
            rustix::io::write(&writer, packet.as_bytes()).unwrap();
        }
        let limit = std::time::Duration::from_secs(20);
        let read = fibra::time::timeout(limit, || reads.join().unwrap());
        assert_eq!(read.expect("a packet is not noticed"), ["a", "b", "c"]);
        drop(writer);
    });
}

#[test]
fn output_captures_what_was_not_set_and_gives_no_input() {
    fibra::run(|| {
        let mut command = sh("cat; echo out; echo err >&2");
        let output = command.stderr(Stdio::null()).output().unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b""[..]));
        // Afterwards the other streams are inherited again.
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        assert!(child.stdout.is_none() && child.stderr.is_none() && child.stdin.is_none());
    });
}

#[test]
fn a_command_passes_on_all_of_its_settings() {
    fibra::run(|| {
        let mut command = Command::new("sh");
        command.arg0("shell").args(["-c", "echo $0 $A $B $C $(pwd)"]).current_dir("/");
        command.env_clear().env("A", "a").envs([("B", "b"), ("C", "c")]).env_remove("C");
        command.env("PATH", "/usr/bin:/bin");
        assert_eq!(command.output().unwrap().stdout, b"shell a b /\n");
        assert_eq!(command.get_program(), "sh");
        assert_eq!(command.get_args().count(), 2);
        assert_eq!(command.get_current_dir().unwrap(), std::path::Path::new("/"));
        assert!(format!("{command:?}").contains("echo"));
    });
}

#[test]
fn a_process_group_of_its_own() {
    fibra::run(|| {
        let mut command =
            sh("read x; ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let child = command.spawn().unwrap();
        let id = child.id();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), id.to_string());
    });
}

#[test]
fn a_program_that_does_not_exist_is_an_error_of_the_spawn() {
    fibra::run(|| {
        let error = Command::new("/nowhere/to/be/found").spawn().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(Command::new("/nowhere/to/be/found").output().is_err());
    });
}

#[test]
fn foreign_children_are_left_alone() {
    let mut foreign = std::process::Command::new("sh").args(["-c", "exit 9"]).spawn().unwrap();
    fibra::run(|| {
        for _ in 0..3 {
            assert!(Command::new("true").status().unwrap().success());
        }
        drop(Command::new("true").spawn().unwrap());
    });
    assert_eq!(foreign.wait().unwrap().code(), Some(9));
}

#[test]
fn forty_children_at_once() {
    fibra::run(|| {
        let started = Rc::new(Cell::new(0));
        let fibers: Vec<_> = (0..40)
            .map(|i| {
                let started = started.clone();
                fibra::spawn(move || {
                    let mut child = sh(&format!("read x; exit {i}"));
                    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
                    started.set(started.get() + 1);
                    let stdin = child.stdin.take();
                    while started.get() < 40 {
                        fibra::yield_now();
                    }
                    drop(stdin);
                    child.wait().unwrap().code().unwrap()
                })
            })
            .collect();
        let codes: Vec<_> = fibers.into_iter().map(|fiber| fiber.join().unwrap()).collect();
        assert_eq!(codes, (0..40).collect::<Vec<_>>());
    });
}

#[test]
fn a_pipeline_through_fibers() {
    fibra::run(|| {
        let filter = |mut command: Command| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        };
        let mut sort = filter(Command::new("sort"));
        let mut count = filter(sh("wc -l"));
        let (mut to_sort, mut sorted) = (sort.stdin.take().unwrap(), sort.stdout.take().unwrap());
        let mut to_count = count.stdin.take().unwrap();
        go(move || {
            (0..50_000).for_each(|i| to_sort.write_all(format!("{i}\n").as_bytes()).unwrap())
        });
        go(move || io::copy(&mut sorted, &mut to_count).unwrap());
        let output = count.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "50000");
        assert!(sort.wait().unwrap().success());
    });
}

#[test]
fn a_pipe_can_be_given_to_another_child_and_to_std() {
    fibra::run(|| {
        let mut echo = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn().unwrap();
        let pipe: Stdio = echo.stdout.take().unwrap().try_into().unwrap();
        assert_eq!(Command::new("cat").stdin(pipe).output().unwrap().stdout, b"hello\n");
        let mut echo =
            sh("read x; echo $x").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = echo.stdout.take().unwrap().into_std().unwrap();
        let mut input = echo.stdin.take().unwrap().into_std().unwrap();
        input.write_all(b"std\n").unwrap();
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert_eq!(text, "std\n");
        assert!(echo.wait().unwrap().success());
    });
}

#[test]
fn under_a_virtual_clock_a_child_takes_the_time_that_it_takes() {
    run_virtually(|| {
        let slow = fibra::time::timeout(ms(60_000), || sh("sleep 0.1").status());
        assert!(slow.expect("it takes no minute").unwrap().success());
    });
}

#[test]
fn a_child_may_be_waited_for_on_another_thread() {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<(Child, ChildStdin, ChildStdout, ChildStderr, Command)>();
    let mut child = fibra::run(|| {
        let mut child = sh("read x; exit 4").stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        assert!(child.wait_timeout(ms(1)).is_err());
        child.stdin = stdin;
        child
    });
    std::thread::scope(|threads| {
        threads.spawn(|| fibra::run(|| assert_eq!(child.wait().unwrap().code(), Some(4))));
    });
}
