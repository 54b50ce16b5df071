//! A standard input that never makes its reader wait: a long file, and one without end. And a
//! standard input that does: a terminal.

#![allow(clippy::disallowed_methods, reason = "real time")]

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use fibra::io::stdin;
use fibra::time::timeout;

use crate::support::net::check_end;
use crate::support::{go, in_child, ms, name_of};

type Reads = fn() -> io::Result<()>;

const READS: &[(&str, Reads)] = &[
    ("read", || {
        let mut room = vec![0; 64 << 20];
        loop {
            stdin().read_exact(&mut room[..1 << 20])?;
            let _ = stdin().read(&mut room)?;
        }
    }),
    ("read_exact", || stdin().read_exact(&mut vec![0; 1 << 30])),
    ("read_to_end", || stdin().read_to_end(&mut Vec::new()).map(drop)),
    ("read_to_string", || stdin().read_to_string(&mut String::new()).map(drop)),
    ("read_line", || stdin().read_line(&mut String::new()).map(drop)),
    ("read_until", || stdin().lock().read_until(b'x', &mut Vec::new()).map(drop)),
    ("skip_until", || stdin().lock().skip_until(b'x').map(drop)),
    ("lines", || stdin().lines().try_for_each(|line| line.map(drop))),
];

/// Returns the processor time of this thread. (The machine may have other work to do.)
fn computed() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Reads `input` with a time limit, beside a fiber that ticks. If the input `is_long`, no call may
/// complete.
fn with_a_limit(input: impl AsFd, is_long: bool) {
    rustix::stdio::dup2_stdin(input).unwrap();
    for &(name, read) in READS {
        fibra::run(|| {
            let longest = Rc::new(Cell::new(Duration::ZERO));
            let notes = longest.clone();
            let ticker = fibra::spawn(move || {
                let mut before = computed();
                loop {
                    fibra::sleep(ms(1));
                    let now = computed();
                    notes.set(notes.get().max(now - before));
                    before = now;
                }
            });
            fibra::yield_now();
            let started = computed();
            let result = timeout(ms(100), read);
            let took = computed() - started;
            assert!(took < Duration::from_secs(1), "{name} took {took:?}");
            assert!(!is_long || result.is_err(), "{name}: {result:?}");
            ticker.kill();
            let longest = longest.get().max(ms(1));
            assert!(longest < ms(80), "{name}: nothing else ran for {longest:?} of {took:?}");
        });
    }
}

#[test]
fn a_time_limit_ends_the_reading_of_an_input_without_end() {
    let test = name_of!(a_time_limit_ends_the_reading_of_an_input_without_end);
    let child = in_child(test, &[], || with_a_limit(File::open("/dev/zero").unwrap(), true));
    check_end(&child);
}

#[test]
fn a_time_limit_ends_the_reading_of_a_long_file() {
    let test = name_of!(a_time_limit_ends_the_reading_of_a_long_file);
    let child = in_child(test, &[], || {
        let path = std::env::temp_dir().join(format!("fibra-long-{}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(600 << 20).unwrap();
        with_a_limit(file, false);
    });
    check_end(&child);
}

#[test]
fn a_time_limit_ends_the_wait_for_a_terminal_and_a_pipe() {
    let test = name_of!(a_time_limit_ends_the_wait_for_a_terminal_and_a_pipe);
    let child = in_child(test, &[], || {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let terminal = File::open(name.to_str().unwrap()).unwrap();
        with_a_limit(terminal, true);
        let (reader, _writer) = io::pipe().unwrap();
        with_a_limit(reader, true);
    });
    check_end(&child);
}

#[test]
fn a_long_text_is_taken_whole_and_characters_are_not_cut() {
    let test = name_of!(a_long_text_is_taken_whole_and_characters_are_not_cut);
    let child = in_child(test, &[], || {
        let path = std::env::temp_dir().join(format!("fibra-text-{}", std::process::id()));
        let text = "aä€😀".repeat(60_000);
        std::fs::write(&path, &text).unwrap();
        rustix::stdio::dup2_stdin(File::open(&path).unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        fibra::run(|| {
            go(fibra::yield_now);
            let mut read = String::from(">");
            assert_eq!(stdin().read_to_string(&mut read).unwrap(), text.len());
            assert!(read[1..] == text);
        });
    });
    check_end(&child);
}
