//! Tests `fibra::fs`: it works like std, keeps the order of callers, and a kill leaves nothing
//! behind.

#![allow(clippy::disallowed_methods, reason = "plain threads, which may block")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::UNIX_EPOCH;

use fibra::fs::{self, File};
use fibra::time::timeout;
use fibra::{spawn, yield_now};

use crate::support::{check, log, ms};

/// Lets tests that count open files, or open files that others would count, run one at a time.
static DESCRIPTORS: Mutex<()> = Mutex::new(());

/// A separate folder for a test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("fibra-fs-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Creates a pipe with a name: a call that opens one end waits for the other end.
    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.file(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns the number of open files below `folder`, as listed by the kernel.
fn open_below(folder: &Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().map_while(Result::ok);
    let targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
    targets.filter(|target| target.starts_with(folder)).count()
}

/// Waits until `n` are open: a thread closes an abandoned file when its operation is done.
#[track_caller]
fn await_open_below(folder: &Path, n: usize) {
    while open_below(folder) != n {
        thread::yield_now();
    }
}

#[test]
fn the_calls_do_what_those_of_std_do() {
    // On fibers, and on a plain thread.
    fibra::run(|| use_all(&Folder::new("fibers")));
    use_all(&Folder::new("thread"));
}

fn use_all(folder: &Folder) {
    let (a, b, sub) = (folder.file("a"), folder.file("b"), folder.file("sub/deep/er"));
    fs::write(&a, "hello").unwrap();
    assert_eq!(fs::read(&a).unwrap(), b"hello");
    assert_eq!(fs::read_to_string(&a).unwrap(), "hello");
    assert_eq!(fs::copy(&a, &b).unwrap(), 5);
    assert_eq!(fs::metadata(&b).unwrap().len(), 5);
    fs::hard_link(&a, folder.file("hard")).unwrap();
    fs::symlink(&a, folder.file("soft")).unwrap();
    assert_eq!(fs::read_link(folder.file("soft")).unwrap(), a);
    assert!(fs::symlink_metadata(folder.file("soft")).unwrap().is_symlink());
    assert!(fs::metadata(folder.file("soft")).unwrap().is_file());
    assert_eq!(fs::canonicalize(folder.file("soft")).unwrap(), fs::canonicalize(&a).unwrap());
    fs::rename(&b, folder.file("c")).unwrap();
    assert_eq!((fs::exists(&b).unwrap(), fs::exists(folder.file("c")).unwrap()), (false, true));
    assert_eq!(fs::create_dir(&sub).unwrap_err().kind(), ErrorKind::NotFound);
    fs::create_dir_all(&sub).unwrap();
    fs::create_dir(sub.join("est")).unwrap();
    fs::remove_dir(sub.join("est")).unwrap();
    let names: BTreeSet<_> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), entry.file_type().unwrap().is_dir())
        })
        .collect();
    let expected = [("a", false), ("c", false), ("hard", false), ("soft", false), ("sub", true)];
    assert_eq!(names, expected.map(|(name, dir)| (name.into(), dir)).into());
    fs::remove_dir_all(folder.file("sub")).unwrap();
    fs::remove_file(folder.file("soft")).unwrap();
    assert_eq!(fs::remove_file(folder.file("soft")).unwrap_err().kind(), ErrorKind::NotFound);
    let mut permissions = fs::metadata(&a).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&a, permissions).unwrap();
    assert!(fs::metadata(&a).unwrap().permissions().readonly());
    assert!(fs::read_dir(folder.file("nothing")).is_err());
    use_file(folder);
}

fn use_file(folder: &Folder) {
    let path = folder.file("file");
    assert_eq!(File::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let mut file = File::create_new(&path).unwrap();
    assert_eq!(File::create_new(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    file.write_all(b"0123456789").unwrap();
    assert_eq!(file.seek(SeekFrom::Start(2)).unwrap(), 2);
    let mut three = [0; 3];
    file.read_exact(&mut three).unwrap();
    assert_eq!((&three, file.stream_position().unwrap()), (b"234", 5));
    assert_eq!(file.read_at(&mut three, 8).unwrap(), 2);
    assert_eq!(file.write_at(b"ab", 0).unwrap(), 2);
    file.read_exact_at(&mut three, 0).unwrap();
    assert_eq!((&three, file.stream_position().unwrap()), (b"ab2", 5));
    assert_eq!(file.read_exact_at(&mut three, 8).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    file.set_modified(UNIX_EPOCH).unwrap();
    assert_eq!(file.metadata().unwrap().modified().unwrap(), UNIX_EPOCH);
    let mut other = file.try_clone().unwrap();
    let mut rest = String::from("rest: ");
    assert_eq!(other.read_to_string(&mut rest).unwrap(), 5);
    assert_eq!((rest.as_str(), file.stream_position().unwrap()), ("rest: 56789", 10));
    file.set_len(4).unwrap();
    file.sync_data().unwrap();
    file.sync_all().unwrap();
    file.flush().unwrap();
    file.rewind().unwrap();
    let mut all = vec![b'>'];
    assert_eq!(file.read_to_end(&mut all).unwrap(), 4);
    assert_eq!((all.as_slice(), file.metadata().unwrap().len()), (&b">ab23"[..], 4));
    let mut permissions = file.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions).unwrap();
    assert_eq!(file.read(&mut []).unwrap(), 0);
    assert!(format!("{file:?}").starts_with("File { fd: "));
    let fd: RawFd = file.as_raw_fd();
    assert_eq!(file.into_std().unwrap().as_raw_fd(), fd);
    let mut log =
        File::options().append(true).read(true).create(true).open(folder.file("log")).unwrap();
    log.write_all(b"not UTF-8: \xff").unwrap();
    log.rewind().unwrap();
    let mut text = String::from("kept");
    assert_eq!(log.read_to_string(&mut text).unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(text, "kept");
}

#[test]
fn other_fibers_run_while_a_file_is_waited_for() {
    let _alone = DESCRIPTORS.lock();
    let folder = Folder::new("meanwhile");
    let fifo = folder.fifo("fifo");
    fibra::run(|| {
        let path = fifo.clone();
        let reader = spawn(move || {
            log("opens");
            log(fs::read_to_string(path).unwrap());
        });
        spawn(|| {
            for step in ["a", "b", "c"] {
                log(step);
                yield_now();
            }
        })
        .join()
        .unwrap();
        fs::write(&fifo, "written").unwrap();
        reader.join().unwrap();
    });
    check("opens a b c written");
}

#[test]
fn buffers_of_std_work_on_it_and_long_reads_take_several_hops() {
    let folder = Folder::new("buffers");
    let path = folder.file("lines");
    fibra::run(|| {
        let mut writer = BufWriter::with_capacity(200_000, File::create(&path).unwrap());
        (0..50_000).for_each(|n| writeln!(writer, "{n}").unwrap());
        writer.flush().unwrap();
        let lines = BufReader::new(File::open(&path).unwrap()).lines();
        assert!(lines.map(Result::unwrap).map(|line| line.parse::<u32>().unwrap()).eq(0..50_000));
        let mut big = vec![0; 200_000];
        let file = File::open(&path).unwrap();
        assert_eq!((&file).read(&mut big).unwrap(), 64 << 10);
        assert_eq!(file.read_at(&mut big, 0).unwrap(), 64 << 10);
        let file = File::create(folder.file("zeros")).unwrap();
        assert_eq!((&file).write(&big).unwrap(), 64 << 10);
        assert_eq!(file.write_at(&big, 1 << 20).unwrap(), 64 << 10);
        (&file).write_all(&big).unwrap();
    });
}

#[test]
fn fibers_that_share_a_file_take_turns() {
    let folder = Folder::new("turns");
    let path = folder.file("shared");
    fibra::run(|| {
        let file = File::options().read(true).write(true).create(true).open(&path).unwrap();
        let clone = file.try_clone().unwrap();
        fibra::scope(|s| {
            for n in 0..100u8 {
                let file = if n % 2 == 0 { &file } else { &clone };
                s.spawn(move || (&*file).write(&[n; 100]).unwrap());
            }
        });
        // Writes are in the order of the callers, and each is in one piece.
        let expected: Vec<u8> = (0..100u8).flat_map(|n| [n; 100]).collect();
        assert_eq!(fs::read(&path).unwrap(), expected);
        (&file).rewind().unwrap();
        let parts = Mutex::new(Vec::new());
        fibra::scope(|s| {
            for _ in 0..100 {
                s.spawn(|| {
                    let mut part = [0; 100];
                    assert_eq!((&file).read(&mut part).unwrap(), 100);
                    parts.lock().unwrap().push(part[0]);
                    assert_eq!(part, [part[0]; 100]);
                });
            }
        });
        assert_eq!(parts.into_inner().unwrap().into_iter().collect::<BTreeSet<_>>().len(), 100);
    });
}

#[test]
fn long_folders_come_in_batches() {
    let folder = Folder::new("batches");
    (0..300).for_each(|n| std::fs::write(folder.file(&format!("{n}")), "").unwrap());
    fibra::run(|| {
        let entries = fs::read_dir(&folder.0).unwrap();
        let found: BTreeSet<_> = entries.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(found, (0..300).map(|n| folder.file(&format!("{n}"))).collect());
        // There is no time for another batch, unless the thread is faster than this fiber's wait.
        let left = (0..1_000).find_map(|_| {
            let mut some = fs::read_dir(&folder.0).unwrap();
            assert_eq!(some.by_ref().take(128).filter(Result::is_ok).count(), 128);
            timeout(ms(0), || some.next()).is_err().then_some(some)
        });
        // Lost entries are reported as an error, not as the end.
        let mut some = left.expect("it was left once");
        assert!(some.next().unwrap().unwrap_err().to_string().contains("was interrupted"));
        assert!(some.next().is_none());
    });
}

/// Opens the pipe for writing when a thread waits for that. On a busy machine none does, if its job
/// had not begun when its fiber left.
fn let_a_reader_open(fifo: &Path) {
    use rustix::fs::{Mode, OFlags, open};
    let opens = || open(fifo, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()).is_ok();
    for _ in 0..500 {
        if opens() {
            return;
        }
        fibra::sleep(ms(1));
    }
}

#[test]
fn a_kill_or_a_time_limit_frees_the_fiber_and_loses_no_descriptor() {
    let _alone = DESCRIPTORS.lock();
    let folder = Folder::new("kills");
    let fifo = folder.fifo("fifo");
    fibra::run(|| {
        // The fiber is left while it waits for the pipe to be opened, and while it reads.
        for (calls, opens_first) in [("open", false), ("read", true), ("fs::read", false)] {
            for kill in [true, false] {
                let writer = opens_first
                    .then(|| File::options().read(true).write(true).open(&fifo).unwrap());
                let path = fifo.clone();
                let fiber = spawn(move || {
                    let body = || match calls {
                        "open" => drop(File::open(path)),
                        "read" => drop(File::open(path).unwrap().read(&mut [0; 10])),
                        _ => drop(fs::read(path)),
                    };
                    if kill { body() } else { assert!(timeout(ms(5), body).is_err()) }
                });
                if kill {
                    fibra::sleep(ms(5));
                    fiber.kill();
                    assert!(fiber.join().unwrap_err().is_killed(), "{calls}");
                } else {
                    fiber.join().unwrap();
                }
                // Now the event arrives that the thread waits for. The thread closes its file.
                if let Some(mut writer) = writer {
                    writer.write_all(b"0123456789").unwrap();
                } else {
                    let_a_reader_open(&fifo);
                }
                await_open_below(&folder.0, 0);
            }
        }
    });
}

#[test]
fn calls_that_were_left_come_to_their_end_before_the_next() {
    let folder = Folder::new("left");
    let path = folder.file("file");
    fibra::run(|| {
        for round in 0..200u8 {
            let file = File::create(&path).unwrap();
            fibra::scope(|s| {
                let first = s.spawn(|| drop((&file).write(&[1; 10])));
                (0..round % 4).for_each(|_| yield_now());
                first.kill();
                drop(first.join());
                (&file).write_all(&[2; 10]).unwrap();
            });
            let written = fs::read(&path).unwrap();
            // The killed write was not begun, or it comes before the other.
            assert!(written == [2; 10] || written == [[1; 10], [2; 10]].concat(), "{written:?}");
        }
    });
}

#[test]
fn a_file_that_a_thread_still_uses_cannot_become_a_file_of_std() {
    let _alone = DESCRIPTORS.lock();
    let folder = Folder::new("into_std");
    let fifo = folder.fifo("fifo");
    fibra::run(|| {
        let mut file = File::options().read(true).write(true).open(&fifo).unwrap();
        // On a busy machine, the read may not have begun when its time is over.
        let file = loop {
            assert!(timeout(ms(5), || (&file).read(&mut [0; 1])).is_err());
            match file.into_std() {
                Ok(unused) => file = File::from_std(unused),
                Err(used) => break used,
            }
        };
        // Without a position no order is kept: the file can be written to meanwhile.
        (&file).write_all(b"x").unwrap();
        let mut file = Err(file);
        while let Err(still) = file {
            yield_now();
            file = still.into_std();
        }
        assert!(file.is_ok());
    });
}

#[test]
fn jobs_and_files_do_not_hold_each_other_up() {
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let opened = std::sync::Arc::new(Mutex::new(opened));
    fibra::run(|| {
        // More jobs than the pool has threads.
        let jobs: Vec<_> = (0..200)
            .map(|_| {
                let opened = opened.clone();
                fibra::blocking::global().spawn(move || opened.lock().unwrap().recv().is_err())
            })
            .collect();
        assert!(fs::read("Cargo.toml").is_ok());
        drop(open);
        jobs.into_iter().for_each(|job| assert!(job.join().unwrap()));
    });
}

#[test]
fn handles_may_go_anywhere() {
    fn is_both<T: Send + Sync>() {}
    is_both::<File>();
    is_both::<fs::OpenOptions>();
    is_both::<fs::DirEntry>();
    fn is_send<T: Send>() {}
    is_send::<fs::ReadDir>();
}
