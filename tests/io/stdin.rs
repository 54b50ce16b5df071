//! The standard input: the order of its readers, and that a reader that leaves takes no input with
//! it.

#![allow(clippy::disallowed_methods, reason = "plain threads, which may block")]
#![allow(unsafe_code, reason = "closes the standard input")]

use std::fs::File;
use std::io::{self, BufRead, ErrorKind, PipeWriter, Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use fibra::channel::Channel;
use fibra::io::stdin;
use fibra::spawn;
use fibra::time::timeout;

use crate::support::net::{kind_of, soon};
use crate::support::{DONE_LINE, check, go, in_child, log, ms, name_of, panic_of, stderr};

/// Runs `body` in a process of its own, with a pipe to the standard input of that process.
#[track_caller]
fn with_pipe(test: &str, body: impl FnOnce(PipeWriter)) {
    in_process(test, || {
        let (reader, writer) = io::pipe().unwrap();
        become_input(reader);
        body(writer);
    });
}

#[track_caller]
fn in_process(test: &str, body: impl FnOnce()) {
    let child = in_child(test, &[], body);
    let said = stderr(&child);
    assert!(child.status.success() && said.ends_with(DONE_LINE), "{said}");
}

fn become_input(input: impl AsFd) {
    rustix::stdio::dup2_stdin(input).unwrap();
}

/// Returns the next line, which is available or arrives soon.
#[track_caller]
fn line() -> String {
    let mut line = String::new();
    soon(|| stdin().read_line(&mut line)).unwrap();
    line
}

#[test]
fn others_run_until_a_line_comes() {
    with_pipe(name_of!(others_run_until_a_line_comes), |mut writer| {
        fibra::run(|| {
            let read = Channel::new();
            let written = read.clone();
            go(move || {
                for number in ["one", "two", "three"] {
                    log(format!("writes {number}"));
                    writeln!(writer, "{number}").unwrap();
                    written.recv().unwrap();
                }
            });
            for _ in 0..3 {
                log(format!("read {}", line().trim_end()));
                read.send(()).unwrap();
            }
            check("writes one read one writes two read two writes three read three");
        });
    });
}

#[test]
fn lines_that_come_together_are_waited_for_once() {
    with_pipe(name_of!(lines_that_come_together_are_waited_for_once), |mut writer| {
        fibra::run(|| {
            writer.write_all(b"one\ntwo\nthr").unwrap();
            assert_eq!([line(), line()], ["one\n", "two\n"]);
            go(move || writer.write_all(b"ee\nlast").unwrap());
            assert_eq!([line(), line(), line()], ["three\n", "last", ""]);
        });
    });
}

type Call = fn() -> io::Result<usize>;

/// Calls that need more input than `hel`.
const CALLS: &[(&str, Call)] = &[
    ("read_line", || stdin().read_line(&mut String::new())),
    ("lines", || Ok(stdin().lines().count())),
    ("read_until", || stdin().lock().read_until(b'o', &mut Vec::new())),
    ("skip_until", || stdin().lock().skip_until(b'o')),
    ("split", || Ok(stdin().lock().split(b'o').count())),
    ("read_exact", || stdin().read_exact(&mut [0; 5]).map(|()| 5)),
    ("read_to_end", || stdin().read_to_end(&mut Vec::new())),
    ("read_to_string", || stdin().read_to_string(&mut String::new())),
    ("lock and read_exact", || stdin().lock().read_exact(&mut [0; 5]).map(|()| 5)),
];

#[test]
fn a_call_that_is_cut_short_has_taken_nothing() {
    with_pipe(name_of!(a_call_that_is_cut_short_has_taken_nothing), |mut writer| {
        fibra::run(|| {
            writer.write_all(b"hel").unwrap();
            for (name, call) in CALLS {
                assert!(timeout(ms(1), call).is_err(), "{name} did not wait");
                let killed = spawn(call);
                fibra::yield_now();
                killed.kill();
                assert!(killed.join().is_err(), "{name} was not killed");
                let mut input = stdin().lock();
                assert_eq!(input.fill_buf().unwrap(), b"hel", "after {name}");
            }
            writer.write_all(b"lo\n").unwrap();
            assert_eq!(line(), "hello\n");
        });
    });
}

#[test]
fn the_next_in_line_reads_what_a_killed_one_waited_for() {
    with_pipe(name_of!(the_next_in_line_reads_what_a_killed_one_waited_for), |mut writer| {
        fibra::run(|| {
            writer.write_all(b"hel").unwrap();
            let [first, second, third] = [(); 3].map(|()| spawn(line));
            fibra::yield_now();
            first.kill();
            second.kill(); // it waits for the first
            fibra::yield_now();
            writer.write_all(b"lo\nworld\n").unwrap();
            assert_eq!(soon(|| third.join()).unwrap(), "hello\n");
            assert!(first.join().is_err() && second.join().is_err());
            assert_eq!(line(), "world\n");
        });
    });
}

#[test]
fn a_line_is_read_by_the_killed_fiber_or_by_the_next_one() {
    with_pipe(name_of!(a_line_is_read_by_the_killed_fiber_or_by_the_next_one), |mut writer| {
        fibra::run(|| {
            for round in 0..200 {
                let reads = spawn(line);
                fibra::yield_now();
                writeln!(writer, "{round}").unwrap();
                (0..round % 5).for_each(|_| fibra::yield_now());
                reads.kill();
                let read = reads.join().unwrap_or_else(|_| line());
                assert_eq!(read, format!("{round}\n"));
            }
        });
    });
}

#[test]
fn a_file_is_read_to_its_end_and_so_is_nothing() {
    in_process(name_of!(a_file_is_read_to_its_end_and_so_is_nothing), || {
        let manifest = std::fs::read_to_string("Cargo.toml").unwrap();
        let read_all = || {
            become_input(File::open("Cargo.toml").unwrap());
            let lines: Vec<_> = stdin().lines().map(Result::unwrap).collect();
            assert!(lines.iter().eq(&manifest.lines().map(String::from).collect::<Vec<_>>()));
            assert_eq!(line(), "");
            become_input(File::open("Cargo.toml").unwrap());
            let mut text = String::from("> ");
            assert_eq!(stdin().read_to_string(&mut text).unwrap(), manifest.len());
            assert_eq!(text, format!("> {manifest}"));
            become_input(File::open("/dev/null").unwrap());
            assert_eq!(line(), "");
            become_input(File::open("src").unwrap());
            assert_eq!(kind_of(stdin().read_to_end(&mut Vec::new())), ErrorKind::IsADirectory);
        };
        fibra::run(read_all);
        // `line` has a time limit, and only fibers may have time limits.
        become_input(File::open("Cargo.toml").unwrap());
        assert_eq!(stdin().lines().count(), manifest.lines().count());
    });
}

#[test]
fn a_socket_is_read_as_its_data_comes() {
    in_process(name_of!(a_socket_is_read_as_its_data_comes), || {
        let (input, mut writer) = UnixStream::pair().unwrap();
        become_input(input);
        fibra::run(|| {
            let reads = spawn(|| [line(), line(), line()]);
            for part in ["on", "e\ntw", "o\n", "three"] {
                fibra::yield_now();
                writer.write_all(part.as_bytes()).unwrap();
            }
            drop(writer);
            assert_eq!(soon(|| reads.join()).unwrap(), ["one\n", "two\n", "three"]);
        });
    });
}

#[test]
fn a_terminal_gives_lines_and_goes_on_after_its_end() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    const END: &[u8] = &[4];
    in_process(name_of!(a_terminal_gives_lines_and_goes_on_after_its_end), || {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let path = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        become_input(rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap());
        let mut keyboard = File::from(keyboard);
        fibra::run(|| {
            keyboard.write_all(b"hel").unwrap();
            assert!(timeout(ms(1), || stdin().read_line(&mut String::new())).is_err());
            let reads = spawn(|| [line(), line(), line()]);
            fibra::yield_now();
            keyboard.write_all(b"lo\n").unwrap();
            keyboard.write_all(END).unwrap();
            keyboard.write_all(b"there\n").unwrap();
            assert_eq!(soon(|| reads.join()).unwrap(), ["hello\n", "", "there\n"]);
        });
    });
}

#[test]
fn what_was_closed_is_at_its_end() {
    in_process(name_of!(what_was_closed_is_at_its_end), || {
        // SAFETY: no other code of this process owns descriptor 0, and any code may exchange the
        // file at descriptor 0.
        drop(unsafe { OwnedFd::from_raw_fd(0) });
        assert_eq!(stdin().read_to_end(&mut Vec::new()).unwrap(), 0);
        fibra::run(|| assert_eq!(line(), ""));
    });
}

#[test]
fn it_is_read_by_fibers_and_threads_at_once_and_by_each_line_one() {
    let test = name_of!(it_is_read_by_fibers_and_threads_at_once_and_by_each_line_one);
    with_pipe(test, |mut writer| {
        const LINES: usize = 3_000;
        fn read_on() -> Vec<usize> {
            let mut numbers = Vec::new();
            let mut line = String::new();
            while stdin().read_line(&mut line).unwrap() != 0 {
                numbers.push(line.trim_end().parse().unwrap());
                line.clear();
            }
            numbers
        }
        fn in_fibers() -> Vec<usize> {
            fibra::run(|| {
                let fibers: Vec<_> = (0..3).map(|_| spawn(read_on)).collect();
                fibers.into_iter().flat_map(|fiber| fiber.join().unwrap()).collect()
            })
        }
        let text: String = (0..LINES).map(|number| format!("{number}\n")).collect();
        let readers = [in_fibers, in_fibers, read_on, read_on].map(thread::spawn);
        text.as_bytes().chunks(7).for_each(|chunk| writer.write_all(chunk).unwrap());
        drop(writer);
        let mut numbers: Vec<_> =
            readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..LINES));
    });
}

#[test]
fn the_lock_keeps_it_for_one() {
    with_pipe(name_of!(the_lock_keeps_it_for_one), |mut writer| {
        fibra::run(|| {
            writer.write_all(b"mine\nyours\nmine, too\n").unwrap();
            let mut lines = stdin().lines();
            assert_eq!(lines.next().unwrap().unwrap(), "mine");
            let other = spawn(line);
            fibra::yield_now();
            assert_eq!(lines.next().unwrap().unwrap(), "yours");
            drop(lines);
            assert_eq!(soon(|| other.join()).unwrap(), "mine, too\n");

            let lock = stdin().lock();
            let report = panic_of(|| stdin().lock());
            assert!(report.contains("is locking a mutex held by fiber 'main'"), "{report}");
            drop(lock);
        });
    });
}

#[test]
fn it_is_read_in_pieces_of_all_sizes() {
    with_pipe(name_of!(it_is_read_in_pieces_of_all_sizes), |mut writer| {
        fibra::run(|| {
            let data: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
            let expected = data.clone();
            let writes = thread::spawn(move || writer.write_all(&data).unwrap());
            let mut read = Vec::new();
            let mut piece = vec![0; 20_000];
            for size in [0, 1, 100, 20_000, 3, 8_192, 8_191].into_iter().cycle() {
                let n = soon(|| stdin().read(&mut piece[..size])).unwrap();
                read.extend_from_slice(&piece[..n]);
                if n == 0 && size != 0 {
                    break;
                }
            }
            assert!(read == expected);
            writes.join().unwrap();
            assert_eq!(kind_of(stdin().read_exact(&mut [0])), ErrorKind::UnexpectedEof);
        });
    });
}

#[test]
fn a_line_may_be_long_and_one_that_is_no_text_is_passed_over() {
    with_pipe(name_of!(a_line_may_be_long_and_one_that_is_no_text_is_passed_over), |mut writer| {
        fibra::run(|| {
            let long = "long ".repeat(200_000) + "\n";
            let expected = long.clone();
            let writes = thread::spawn(move || {
                writer.write_all(long.as_bytes()).unwrap();
                writer.write_all(b"\xff\ntext\n").unwrap();
            });
            assert!(line() == expected);
            let mut text = String::from("kept");
            assert_eq!(kind_of(stdin().read_line(&mut text)), ErrorKind::InvalidData);
            assert_eq!((text.as_str(), line().as_str()), ("kept", "text\n"));
            writes.join().unwrap();
        });
    });
}

#[test]
fn it_stays_blocking_for_the_others() {
    with_pipe(name_of!(it_stays_blocking_for_the_others), |mut writer| {
        fibra::run(|| {
            let reads = spawn(line);
            fibra::yield_now();
            let flags = rustix::fs::fcntl_getfl(stdin()).unwrap();
            assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
            writer.write_all(b"\n").unwrap();
            assert_eq!(soon(|| reads.join()).unwrap(), "\n");
        });
    });
}

#[test]
fn a_dump_shows_a_read_of_the_standard_input() {
    with_pipe(name_of!(a_dump_shows_a_read_of_the_standard_input), |_writer| {
        fibra::run(|| {
            go(line);
            fibra::yield_now();
            let dump = fibra::dump().to_string();
            assert!(dump.contains("reading the standard input"), "{dump}");
            assert_eq!(format!("{:?}", stdin()), "Stdin { .. }");
        });
    });
}
