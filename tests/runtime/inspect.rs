//! `RuntimeBuilder::inspect`: the socket on which other programs see the fibers of a runtime.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fibra::{Builder, Handle, Runtime, RuntimeBuilder};

use crate::support::{DONE_LINE, in_child, ms, name_of, stderr};
use crate::{must_end, sleep_until};

/// Returns a path that no other test uses.
fn path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("fibra-inspect-{}-{number}", std::process::id()))
}

/// A client: it panics instead of waiting forever.
struct Client(BufReader<UnixStream>);

impl Client {
    #[track_caller]
    fn connect(path: &Path) -> Client {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client(BufReader::new(stream))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Reads one answer, up to its empty line.
    #[track_caller]
    fn answer(&mut self) -> String {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "disconnected after {text:?}");
            if line == "\n" {
                return text;
            }
            text += &line;
        }
    }

    #[track_caller]
    fn ask(&mut self, command: &str) -> String {
        self.send(&format!("{command}\n"));
        self.answer()
    }

    /// Returns what is left until the server disconnects.
    fn rest(mut self) -> String {
        let mut text = String::new();
        // A connection that is closed with unread input is reset.
        let _ = self.0.read_to_string(&mut text);
        text
    }
}

/// Runs `program` in a runtime with a socket, while another thread runs `client`.
fn with_client<T: Send>(
    builder: RuntimeBuilder,
    program: impl FnOnce(),
    client: impl FnOnce(&Path) -> T + Send,
) -> T {
    let path = path();
    let runtime = builder.inspect(&path).build().unwrap();
    let is_done = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        let client = scope.spawn(|| {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client(&path)));
            is_done.store(true, Ordering::Release);
            result
        });
        runtime.run(|| {
            program();
            sleep_until(|| is_done.load(Ordering::Acquire));
        });
        client.join().unwrap()
    });
    assert!(!path.exists(), "the socket is removed");
    result.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

#[inline(never)]
fn wait_in_here() {
    fibra::park();
    std::hint::black_box(());
}

fn some_fibers() {
    Builder::new().name("reader").spawn(wait_in_here);
    let job = Handle::current().spawn_on(1, fibra::park);
    std::mem::forget(job);
}

#[test]
fn each_command_has_an_answer() {
    with_client(Runtime::builder().threads(2), some_fibers, |path| {
        let mut client = Client::connect(path);
        let mut ps = client.ask("ps");
        while ps.matches("is parked at").count() < 2 {
            ps = client.ask("ps");
        }
        assert!(ps.contains("\nscheduler 1 "), "{ps}");
        assert!(ps.contains("  fiber 'reader' (#2) is parked at "), "{ps}");
        let stats = client.ask("stats");
        let of_first = stats.split("scheduler 1").next().unwrap();
        assert!(of_first.contains("  fibers             2\n"), "{stats}");
        assert!(stats.ends_with("queued_jobs 0\n"), "{stats}");
        let tree = client.ask("tree");
        let main = tree.lines().position(|line| line.starts_with("  fiber 'main' (#1) is asleep"));
        let below = tree.lines().nth(main.unwrap() + 1).unwrap();
        assert!(below.starts_with("    fiber 'reader' (#2) is parked at "), "{tree}");
        let stacks = client.ask("stacks");
        assert!(stacks.contains("wait_in_here"), "{stacks}");
        let json = client.ask("json");
        assert!(json.starts_with(r#"{"schedulers":[{"index":0,"#), "{json}");
        assert!(json.contains(r#""stats":{"fibers":2,"#), "{json}");
        // The main fiber was spawned by the call of `run`, and not by the library.
        let here = format!(r#""spawned_at":{{"file":"{}","#, file!());
        assert!(json.split("\"id\"").nth(1).unwrap().contains(&here), "{json}");
        assert!(client.ask("help").contains("\nwatch [seconds] "));
        let unknown = client.ask("kill 2");
        assert!(unknown.starts_with("unknown command `kill 2`\nps "), "{unknown}");
        assert_eq!(client.ask(""), "");
    });
}

#[test]
fn a_runtime_with_one_scheduler_has_a_socket_too() {
    let text = with_client(Runtime::builder(), || (), |path| Client::connect(path).ask("ps"));
    assert!(text.contains("  fiber 'main' (#1) is asleep at"), "{text}");
}

#[test]
fn a_deadlock_is_found_beside_a_socket() {
    let path = path();
    let runtime = Runtime::builder().inspect(&path).build().unwrap();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.run(|| {
            let (_sender, receiver) = fibra::channel::unbounded::<()>();
            receiver.recv().unwrap_err().to_string()
        })
    }));
    let text = ended.unwrap_or_else(|payload| crate::support::text_of(payload.as_ref()));
    assert!(text.contains("deadlock"), "{text}");
    assert!(!path.exists());
}

#[test]
fn a_scheduler_that_is_held_is_named_and_the_others_answer() {
    static GO_ON: AtomicBool = AtomicBool::new(false);
    let hold = || {
        let hold = || {
            while !GO_ON.load(Ordering::Acquire) {
                thread::sleep(ms(1));
            }
        };
        Handle::current().spawn_on(1, hold).detach();
    };
    with_client(Runtime::builder().threads(2), hold, |path| {
        let mut client = Client::connect(path);
        let start = Instant::now();
        while !client.ask("ps").contains("\nscheduler 1 is busy: it did not answer within 200ms") {
            assert!(start.elapsed() < Duration::from_secs(20));
        }
        assert!(client.ask("stats").contains("  fibers "));
        GO_ON.store(true, Ordering::Release);
    });
}

#[test]
fn watch_repeats_until_the_next_line() {
    with_client(
        Runtime::builder(),
        || (),
        |path| {
            let mut client = Client::connect(path);
            client.send("watch 0.1\n");
            for _ in 0..3 {
                assert!(client.answer().contains("fiber 'main'"));
            }
            client.send("help\n");
            let mut text = client.answer();
            while text.contains("fiber 'main'") {
                text = client.answer();
            }
            assert!(text.contains("watch [seconds]"), "{text}");
            client.0.get_ref().set_read_timeout(Some(ms(300))).unwrap();
            let nothing = client.0.read(&mut [0]).unwrap_err();
            assert!(matches!(nothing.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        },
    );
}

#[test]
fn a_client_that_sends_its_commands_and_ends_gets_all_answers() {
    let text = with_client(
        Runtime::builder(),
        || (),
        |path| {
            let mut client = Client::connect(path);
            client.send("help\n\nstats\nps");
            client.0.get_ref().shutdown(Shutdown::Write).unwrap();
            client.rest()
        },
    );
    let [help, nothing, ps] = ["ps      ", "\n\n\n", "fiber 'main'"].map(|part| text.find(part));
    assert!(help < nothing && nothing < ps && ps.is_some(), "{text}");
}

#[test]
fn clients_that_leave_early_harm_no_one() {
    let many = || (0..3_000).for_each(|_| drop(fibra::spawn(fibra::park)));
    with_client(Runtime::builder(), many, |path| {
        for round in 0..30 {
            let mut client = Client::connect(path);
            client.send(if round % 2 == 0 { "ps\nps\n" } else { "watch 0.1\n" });
            if round % 3 == 0 {
                let _ = client.0.read(&mut [0; 10]);
            }
        }
        // One that takes nothing does not keep the others from their answers.
        let mut slow = Client::connect(path);
        slow.send(&"ps\n".repeat(80));
        for _ in 0..5 {
            assert!(Client::connect(path).ask("ps").len() > 3_000);
        }
    });
}

#[test]
fn lines_and_the_number_of_clients_are_bounded() {
    with_client(
        Runtime::builder(),
        || (),
        |path| {
            let mut clients: Vec<_> = (0..16).map(|_| Client::connect(path)).collect();
            clients.iter_mut().for_each(|client| assert!(client.ask("help").contains("json")));
            let refused = Client::connect(path).rest();
            assert_eq!(refused, "too many clients: 16 are connected\n\n");
            let mut long = clients.pop().unwrap();
            let _ = long.0.get_mut().write_all(&[b'x'; 5_000]);
            assert!("the line is too long\n\n".starts_with(&long.rest()));
            // There is room again, once the server has seen that.
            let start = Instant::now();
            while Client::connect(path).rest_of_help().contains("too many") {
                assert!(start.elapsed() < Duration::from_secs(20));
            }
        },
    );
}

impl Client {
    fn rest_of_help(mut self) -> String {
        let _ = self.0.get_mut().write_all(b"help\n");
        let _ = self.0.get_mut().shutdown(Shutdown::Write);
        self.rest()
    }
}

#[test]
fn the_socket_belongs_to_its_owner_and_is_there_before_and_during_run() {
    let path = path();
    let runtime = Runtime::builder().inspect(&path).build().unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(Client::connect(&path).ask("ps"), "scheduler 0 has not started\n");
    runtime.run(|| assert!(path.exists()));
    assert!(!path.exists());
    drop(Runtime::builder().inspect(&path).build().unwrap());
    assert!(!path.exists(), "a runtime that is dropped removes it, too");
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_nothing_else_is() {
    let path = path();
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let first = Runtime::builder().inspect(&path).build().unwrap();
    let second = Runtime::builder().inspect(&path).build().unwrap_err();
    assert_eq!(second.kind(), ErrorKind::AddrInUse);
    assert!(second.to_string().contains(path.to_str().unwrap()), "{second}");
    assert_eq!(Client::connect(&path).ask("ps"), "scheduler 0 has not started\n");
    // What stands there by now is not its socket.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a file").unwrap();
    drop(first);
    assert_eq!(Runtime::builder().inspect(&path).build().unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    fs::remove_file(&path).unwrap();
    assert!(Runtime::builder().inspect(path.join("missing")).build().is_err());
    assert!(Runtime::builder().inspect("").build().is_err());
    assert!(Runtime::builder().inspect("x".repeat(200)).build().is_err());
}

#[test]
fn an_exit_of_the_process_removes_the_socket() {
    let path = std::env::temp_dir().join("fibra-inspect-of-an-exit");
    let test = name_of!(an_exit_of_the_process_removes_the_socket);
    let output = in_child(test, &[], || {
        let runtime = Runtime::builder().inspect(&path).build().unwrap();
        runtime.run(|| fibra::exit(3));
    });
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(!stderr(&output).contains(DONE_LINE));
    assert!(!path.exists());
}

#[test]
fn the_thread_sleeps_while_no_one_asks_and_ends_with_its_runtime() {
    let test = name_of!(the_thread_sleeps_while_no_one_asks_and_ends_with_its_runtime);
    let output = in_child(test, &[], || {
        must_end();
        let threads = || fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        let before = threads();
        for _ in 0..20 {
            let path = path();
            let runtime = Runtime::builder().threads(2).inspect(&path).build().unwrap();
            runtime.run(|| {
                let client = UnixStream::connect(&path).unwrap();
                fibra::yield_now();
                drop(client);
            });
        }
        assert!(threads() <= before + 1, "threads are left: {} after {before}", threads());
    });
    assert!(stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}
