//! `fibra::main`: a program of its own gets a real SIGINT at several moments.
//!
//! This file has a `main` instead of tests that a harness calls: started again with the name of a
//! scene it *is* the program, and its exit status is that of `fibra::main`. The two sides wait for
//! each other by the lines that the program prints and reads.

#![allow(unsafe_code, reason = "a program may have been started with SIGINT ignored")]

use std::cell::Cell;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use fibra::io::Waitable;
use fibra::signal::{self, Signal, Signals};
use fibra::sync::OneshotSender;
use fibra::{Handle, Runtime};
use rustix::process::{Pid, kill_process};

const SCENE: &str = "FIBRA_TEST_SCENE";
const HOUR: Duration = Duration::from_secs(3600);

type Scene = (&'static str, fn() -> ExitCode);

/// The programs, by name.
const SCENES: &[Scene] = &[
    ("sleeping", || fibra::main(sleeping)),
    ("sleeping on a larger stack", || {
        Runtime::builder().main_stack_size(64 << 20).build().unwrap().main(|| {
            println!("{} MiB", fibra::dump().fibers[0].stack_size >> 20);
            sleeping();
        })
    }),
    ("serving", || fibra::main(serving)),
    ("computing, with checkpoints", || fibra::main(computing_with_checkpoints)),
    ("computing, with yields", || fibra::main(computing_with_yields)),
    ("computing, without an end", || fibra::main(computing_without_an_end)),
    ("in a destructor", || fibra::main(in_a_destructor)),
    ("in a shield", || fibra::main(in_a_shield)),
    ("joining and waiting in a scope", || fibra::main(in_a_scope)),
    ("with a reason", || fibra::main(with_a_reason)),
    ("returns nothing", || fibra::main(|| ())),
    ("returns seven", || fibra::main(|| ExitCode::from(7))),
    ("fails", || fibra::main(|| Err::<(), Box<dyn Error>>("out of milk".into()))),
    ("panics", || fibra::main(|| panic!("on request"))),
    ("is killed by itself", || fibra::main(|| fibra::current().kill())),
    ("is deadlocked", || fibra::main(fibra::park)),
    ("when all is over", when_all_is_over),
    ("ignoring it", || fibra::main(until_told)),
    ("on two threads", || on_two_threads(jobs_that_sleep)),
    ("on two threads, with a slow destructor", || on_two_threads(a_job_with_a_slow_destructor)),
    ("on two threads, computing", || on_two_threads(a_job_that_computes)),
];

const TESTS: &[(&str, fn())] = &[
    ("a_main_that_sleeps_is_unwound", || {
        let mut program = Program::start("sleeping");
        program.expect("ready");
        program.interrupt();
        program.expect("dropped: main");
        program.expect("dropped: other");
        program.ends_with(130);
    }),
    ("a_main_with_settings_is_unwound_as_well", || {
        let mut program = Program::start("sleeping on a larger stack");
        program.expect("64 MiB");
        program.expect("ready");
        program.interrupt();
        program.expect("dropped: main");
        program.expect("dropped: other");
        program.ends_with(130);
    }),
    ("a_server_closes_its_sockets", || {
        let mut program = Program::start("serving");
        let address = program.line();
        let mut client = std::net::TcpStream::connect(address).unwrap();
        client.write_all(b"hello").unwrap();
        program.expect("got hello");
        program.interrupt();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        program.expect("dropped: server");
        program.ends_with(130);
    }),
    ("a_computation_meets_it_at_a_checkpoint", || {
        check_computing("computing, with checkpoints");
    }),
    ("a_computation_meets_it_at_a_yield", || check_computing("computing, with yields")),
    ("the_second_ends_what_never_waits", || {
        let mut program = Program::start("computing, without an end");
        program.expect("ready");
        program.interrupt();
        program.expect("noticed");
        program.interrupt();
        program.ends_with(130);
    }),
    ("the_second_ends_a_destructor_that_takes_too_long", || {
        let mut program = Program::start("in a destructor");
        program.expect("ready");
        program.interrupt();
        program.expect("closing");
        program.interrupt();
        program.ends_with(130);
    }),
    ("a_program_that_does_not_end_tells_for_what_it_waits", || {
        let mut program = Program::start("in a destructor");
        program.expect("ready");
        program.interrupt();
        program.expect("closing");
        program.expect_error("fibra: Ctrl-C: the main fiber was killed 2s ago");
        program.expect_error("fiber 'main' (#1) is ");
        program.interrupt();
        program.ends_with(130);
    }),
    ("sigquit_dumps_the_fibers_and_the_program_continues", || {
        if !cfg!(debug_assertions) {
            return;
        }
        let mut program = Program::start("sleeping");
        program.expect("ready");
        program.quit();
        program.expect_error("fibra: SIGQUIT: the fibers of all schedulers:");
        program.expect_error("fiber 'main' (#1) is asleep at tests/main_sigint.rs:");
        program.interrupt();
        program.expect("dropped: main");
        program.expect("dropped: other");
        let (status, _) = program.wait();
        assert_eq!(status.code(), Some(130));
    }),
    ("sigquit_shows_a_fiber_that_holds_its_thread_and_the_second_ends_it", || {
        if !cfg!(debug_assertions) {
            return;
        }
        let mut program = Program::start("computing, without an end");
        program.expect("ready");
        program.quit();
        program.expect_error("fibra: SIGQUIT: the fibers of all schedulers:");
        program.expect_error(" is held by fiber 'main' (#1):");
        #[cfg(all(feature = "diagnostics", target_os = "linux"))]
        program.expect_error("computing_without_an_end");
        program.quit();
        let (status, _) = program.wait();
        assert_eq!(status.signal(), Some(libc::SIGQUIT));
    }),
    ("an_ignored_sigquit_stays_ignored", || {
        let mut program = Program::start_with("ignoring it", libc::SIG_IGN);
        program.expect("ready");
        program.quit();
        program.quit();
        program.tell("go on");
        program.expect("told: go on");
        assert_eq!(program.ends_with(0), "");
    }),
    ("the_fibers_of_all_threads_are_unwound", || {
        let mut program = Program::start("on two threads");
        program.expect("ready");
        program.interrupt();
        program.expect("dropped: main");
        // Two threads unwind at the same time.
        let mut lines = [(); 5].map(|()| program.line());
        lines.sort();
        let expected =
            ["a job of a scope", "fiber of the job", "job there", "job here", "fiber here"];
        let mut expected = expected.map(|name| format!("dropped: {name}"));
        expected.sort();
        assert_eq!(lines, expected);
        program.ends_with(130);
    }),
    ("the_second_ends_a_destructor_on_another_thread", || {
        let mut program = Program::start("on two threads, with a slow destructor");
        program.expect("ready");
        program.interrupt();
        program.expect("dropped: main");
        let mut lines = [(); 3].map(|()| program.line());
        lines.sort();
        assert_eq!(lines, ["closing", "dropped: fiber here", "dropped: job here"]);
        program.interrupt();
        program.ends_with(130);
    }),
    ("the_second_ends_a_computation_on_another_thread", || {
        let mut program = Program::start("on two threads, computing");
        program.expect("ready");
        program.interrupt();
        program.expect("dropped: main");
        // The oldest first.
        program.expect("dropped: fiber here");
        program.expect("dropped: job here");
        program.interrupt();
        program.ends_with(130);
    }),
    ("a_shield_puts_it_off", || {
        let mut program = Program::start("in a shield");
        program.expect("ready");
        program.interrupt();
        program.expect("noticed");
        program.tell("go on");
        program.expect("told: go on");
        program.expect("dropped: main");
        program.ends_with(130);
    }),
    ("children_of_a_scope_are_unwound_before_main_is", || {
        let mut program = Program::start("joining and waiting in a scope");
        program.expect("ready");
        program.interrupt();
        program.expect("dropped: child");
        program.expect("dropped: main");
        program.ends_with(130);
    }),
    ("clean_up_finds_the_reason", || {
        let mut program = Program::start("with a reason");
        program.expect("ready");
        program.interrupt();
        program.expect("interrupted by a signal");
        program.ends_with(130);
    }),
    ("the_status_is_that_of_what_main_returns", || {
        for (scene, status, text) in [
            ("returns nothing", 0, ""),
            ("returns seven", 7, ""),
            ("fails", 1, "Error: \"out of milk\""),
            ("panics", 101, "on request"),
            ("is killed by itself", 101, "main was killed"),
            ("is deadlocked", 101, "deadlock"),
        ] {
            let mut program = Program::start(scene);
            let output = program.ends_with(status);
            assert!(output.contains(text), "{scene}: {output}");
        }
    }),
    ("afterwards_it_does_what_it_did_before", || {
        let mut program = Program::start("when all is over");
        program.expect("over");
        program.interrupt();
        let (status, _) = program.wait();
        assert_eq!(status.signal(), Some(Signal::SIGINT.as_raw()));
    }),
    ("what_was_ignored_stays_ignored", || {
        let mut program = Program::start_with("ignoring it", libc::SIG_IGN);
        program.expect("ready");
        program.interrupt();
        program.tell("go on");
        program.expect("told: go on");
        program.ends_with(0);
    }),
];

fn main() -> ExitCode {
    if let Ok(wanted) = std::env::var(SCENE) {
        return SCENES.iter().find(|(name, _)| *name == wanted).expect("a scene").1();
    }
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    // Like the harness, as far as it is used: names are looked for, options are ignored.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
    let mut failed = 0;
    for (name, test) in TESTS.iter().filter(|(name, _)| chosen(name)) {
        let passed = std::panic::catch_unwind(test).is_ok();
        failed += usize::from(!passed);
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    }
    println!("\ntest result: {failed} failed");
    ExitCode::from(if failed == 0 { 0 } else { 101 })
}

// ----------------------------------------------------------------------------------
// The scenes

struct Speaks(&'static str);

impl Drop for Speaks {
    fn drop(&mut self) {
        println!("dropped: {}", self.0);
    }
}

fn sleeping() {
    let other = fibra::spawn(|| {
        let _speaks = Speaks("other");
        println!("ready");
        fibra::sleep(HOUR);
    });
    let _speaks = Speaks("main");
    fibra::sleep(HOUR);
    drop(other);
}

fn serving() {
    let listener = fibra::net::TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let _speaks = Speaks("server");
    loop {
        let (mut client, _) = listener.accept().unwrap();
        fibra::spawn(move || {
            let mut bytes = [0; 5];
            client.read_exact(&mut bytes).unwrap();
            println!("got {}", String::from_utf8_lossy(&bytes));
            let _ = client.read(&mut bytes);
        });
    }
}

fn computing_with_checkpoints() {
    let _speaks = Speaks("main");
    println!("ready");
    loop {
        fibra::checkpoint();
    }
}

fn computing_with_yields() {
    let _speaks = Speaks("main");
    println!("ready");
    loop {
        fibra::yield_now();
    }
}

fn computing_without_an_end() {
    let _speaks = Speaks("main");
    let signals = Signals::new(&[Signal::SIGINT]).unwrap();
    println!("ready");
    loop {
        if signals.try_recv().is_some() {
            println!("noticed");
        }
    }
}

struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        println!("closing");
        fibra::sleep(HOUR);
    }
}

fn in_a_destructor() {
    let _speaks = Speaks("main");
    let _slow = Slow;
    println!("ready");
    fibra::sleep(HOUR);
}

fn in_a_shield() {
    let _speaks = Speaks("main");
    let _notices = signal::on(Signal::SIGINT, || println!("noticed")).unwrap();
    fibra::shield(until_told);
    fibra::sleep(HOUR);
}

fn until_told() {
    println!("ready");
    let stdin = Waitable::new(std::io::stdin()).unwrap();
    let mut bytes = [0; 64];
    let length = stdin.read_with(|mut stdin| Read::read(&mut stdin, &mut bytes)).unwrap();
    print!("told: {}", String::from_utf8_lossy(&bytes[..length]));
}

fn in_a_scope() {
    let _speaks = Speaks("main");
    let borrowed = Cell::new(0);
    fibra::scope(|scope| {
        scope.spawn(|| {
            let _speaks = Speaks("child");
            borrowed.set(1);
            println!("ready");
            fibra::sleep(HOUR);
        });
    });
}

fn with_a_reason() {
    let main = Rc::new(fibra::current());
    fibra::finally(
        || {
            println!("ready");
            fibra::sleep(HOUR);
        },
        || println!("{}", main.kill_reason().unwrap()),
    );
}

fn when_all_is_over() -> ExitCode {
    let code = fibra::main(|| ExitCode::SUCCESS);
    println!("over");
    let _ = std::io::stdin().read_line(&mut String::new());
    code
}

/// Runs a program on two threads, whose main fiber starts `job` on the other one and sleeps when
/// that is ready.
fn on_two_threads(job: fn(OneshotSender<()>)) -> ExitCode {
    Runtime::builder().threads(2).build().unwrap().main(|| {
        let (ready, is_ready) = fibra::sync::oneshot();
        let handle = Handle::current();
        let job = handle.spawn_on(1, move || job(ready));
        is_ready.recv().unwrap();
        let (ready, is_ready) = fibra::sync::oneshot();
        let here = handle.spawn_on(0, || {
            ready.send(()).unwrap();
            sleep_in("job here");
        });
        fibra::spawn(|| sleep_in("fiber here"));
        is_ready.recv().unwrap();
        let _speaks = Speaks("main");
        println!("ready");
        drop((job.join(), here));
    })
}

fn sleep_in(name: &'static str) {
    let _speaks = Speaks(name);
    fibra::sleep(HOUR);
}

fn jobs_that_sleep(ready: OneshotSender<()>) {
    fibra::spawn(|| sleep_in("fiber of the job"));
    let _speaks = Speaks("job there");
    fibra::par::scope(|s| {
        s.spawn_on(1, || {
            ready.send(()).unwrap();
            sleep_in("a job of a scope");
        });
    });
}

fn a_job_with_a_slow_destructor(ready: OneshotSender<()>) {
    let _slow = Slow;
    ready.send(()).unwrap();
    fibra::sleep(HOUR);
}

fn a_job_that_computes(ready: OneshotSender<()>) {
    ready.send(()).unwrap();
    loop {
        std::hint::spin_loop();
    }
}

// ----------------------------------------------------------------------------------
// The programs

struct Program {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    fn start(scene: &str) -> Program {
        Program::start_with(scene, libc::SIG_DFL)
    }

    fn start_with(scene: &str, disposition: libc::sighandler_t) -> Program {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(SCENE, scene).env_remove("RUST_BACKTRACE").env("FIBRA_HOG_LIMIT", "off");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let set = move || {
            // SAFETY: the calls are async-signal-safe, and install no handler.
            unsafe {
                libc::signal(libc::SIGINT, disposition);
                libc::signal(libc::SIGQUIT, disposition);
                let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                libc::setrlimit(libc::RLIMIT_CORE, &no_core);
            }
            Ok(())
        };
        // SAFETY: between fork and exec the closure makes only one system call.
        unsafe { command.pre_exec(set) };
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Program { child, stdin, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().into()
    }

    /// Waits until the program has printed `line`.
    #[track_caller]
    fn expect(&mut self, line: &str) {
        assert_eq!(self.line(), line);
    }

    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), rustix::process::Signal::INT).unwrap();
    }

    fn quit(&self) {
        kill_process(Pid::from_child(&self.child), rustix::process::Signal::QUIT).unwrap();
    }

    /// Reads its standard error up to a line that contains `text`. Returns what was read.
    #[track_caller]
    fn expect_error(&mut self, text: &str) -> String {
        let (mut read, stderr) = (Vec::new(), self.child.stderr.as_mut().unwrap());
        loop {
            let mut byte = [0];
            let lines = String::from_utf8_lossy(&read);
            assert_ne!(stderr.read(&mut byte).unwrap(), 0, "no {text:?} in {lines}");
            if byte[0] == b'\n' && lines.lines().last().is_some_and(|line| line.contains(text)) {
                return lines.into_owned();
            }
            read.push(byte[0]);
        }
    }

    #[track_caller]
    fn tell(&mut self, text: &str) {
        // In one write: the program may end as soon as it has read a part.
        self.stdin.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// Returns how the program ended, and its standard error. Panics if it prints more.
    #[track_caller]
    fn wait(&mut self) -> (ExitStatus, String) {
        let (mut rest, mut errors) = (String::new(), String::new());
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap(), errors)
    }

    #[track_caller]
    fn ends_with(&mut self, code: i32) -> String {
        let (status, errors) = self.wait();
        assert_eq!(status.code(), Some(code), "{errors}");
        // On a busy machine an end may take so long that there is a note about it.
        let is_note = errors.starts_with("fibra: Ctrl-C: the main fiber was killed 2s ago");
        assert!(code != 130 || errors.is_empty() || is_note, "{errors}");
        errors
    }
}

#[track_caller]
fn check_computing(scene: &str) {
    let mut program = Program::start(scene);
    program.expect("ready");
    program.interrupt();
    program.expect("dropped: main");
    program.ends_with(130);
}
