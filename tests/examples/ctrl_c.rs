//! The example `ctrl_c` gets a real SIGINT at several moments. This test plays the servers, so
//! the downloads continue when the test sends more. The example `secure_chat` gets one, too.

#![allow(unsafe_code, reason = "the example may have been started with SIGINT ignored")]

use std::env::consts::EXE_SUFFIX;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const NAMES: [&str; 3] = ["small", "middle", "large"];
const PIECE: [u8; 1000] = [b'.'; 1000];

struct Example {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// One connection per download. All are open at the same time, before the first byte was sent:
    /// consecutive downloads would not get here.
    connections: Vec<TcpStream>,
}

/// Starts an example that SIGINT interrupts. Returns it and what it prints.
fn start(
    name: &str,
    arguments: impl IntoIterator<Item = String>,
) -> (Child, BufReader<ChildStdout>) {
    // target/PROFILE/examples/NAME; this test is target/PROFILE/deps/examples-HASH.
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join(format!("examples/{name}{EXE_SUFFIX}"));
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::piped());
    let set = || {
        // SAFETY: the call is async-signal-safe, and installs no handler.
        let _ = unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes only one system call.
    unsafe { command.pre_exec(set) };
    let mut child = command.spawn().expect("`cargo build --examples` builds it");
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

impl Example {
    fn start() -> Example {
        let servers = NAMES.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = servers.iter().map(|server| server.local_addr().unwrap().to_string());
        let (child, stdout) = start("ctrl_c", addresses);
        let connections = servers.iter().map(|server| server.accept().unwrap().0).collect();
        Example { child, stdout, connections }
    }

    fn send(&mut self, download: usize) {
        self.connections[download].write_all(&PIECE).unwrap();
    }

    #[track_caller]
    fn expect(&mut self, line: &str) {
        let mut found = String::new();
        self.stdout.read_line(&mut found).unwrap();
        assert_eq!(found.trim_end(), line);
    }

    /// Sends the signal. When the program has ended, returns what it printed.
    #[track_caller]
    fn interrupt(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        for mut connection in self.connections {
            // A connection that is closed with unread data is reset.
            let closed = connection.read(&mut [0]);
            assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
        }
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(130), "{rest}");
        rest
    }
}

fn put_away(pieces: [usize; 3]) -> String {
    let lines = NAMES.iter().zip(pieces);
    let lines = lines.map(|(name, pieces)| format!("{name}: put away after piece {pieces}\n"));
    lines.collect::<String>() + "the main fiber was interrupted by a signal\n"
}

#[test]
fn interrupted_before_the_first_byte() {
    // The example is connected, and so `main` has installed the handler.
    assert_eq!(Example::start().interrupt(), put_away([0, 0, 0]));
}

#[test]
fn interrupted_in_the_middle_of_two() {
    let mut example = Example::start();
    for download in [2, 0] {
        example.send(download);
        example.expect(&format!("{}: begun", NAMES[download]));
    }
    assert_eq!(example.interrupt(), put_away([1, 0, 1]));
}

#[test]
fn interrupted_when_two_are_complete() {
    let mut example = Example::start();
    for download in [1, 0] {
        example.send(download);
        example.expect(&format!("{}: begun", NAMES[download]));
        example.connections[download].shutdown(std::net::Shutdown::Write).unwrap();
        example.expect(&format!("{}: complete, 1 pieces", NAMES[download]));
    }
    let rest = example.interrupt();
    assert_eq!(rest, "large: put away after piece 0\nthe main fiber was interrupted by a signal\n");
}

#[test]
fn not_interrupted_all_three_are_open_at_once_and_end_in_any_order() {
    let mut example = Example::start();
    for download in [2, 1, 0] {
        example.send(download);
        example.expect(&format!("{}: begun", NAMES[download]));
    }
    for download in [1, 2, 0] {
        example.connections[download].shutdown(std::net::Shutdown::Write).unwrap();
        example.expect(&format!("{}: complete, 1 pieces", NAMES[download]));
    }
    let mut rest = String::new();
    example.stdout.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("all 3 pieces in "), "{rest}");
    assert!(example.child.wait().unwrap().success());
}

#[cfg(all(feature = "http", feature = "tls"))]
#[test]
fn a_chat_ends_in_an_orderly_way_when_it_is_interrupted() {
    let (mut child, mut stdout) = start("secure_chat", ["127.0.0.1:0".to_string()]);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("open https://localhost:"), "{line}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "connections that had to be killed: 0\n");
    assert!(child.wait().unwrap().success());
}
