//! Tests reads of files of which all or a part is in the page cache: they do what those of std do,
//! and the fiber lets others run only where it has to.

#![allow(clippy::disallowed_methods, reason = "files that are made beside those of fibra")]

use std::cell::Cell;
use std::fs;
use std::io::{self, ErrorKind, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fibra::fs::File;
use fibra::time::timeout;
use fibra::{spawn, yield_now};
use rustix::fs::{Advice, OFlags, fadvise};
use rustix::io::{ReadWriteFlags, preadv2};

use crate::support::ms;

/// A file for a test, removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(folder: &Path, name: &str, contents: &[u8]) -> Temporary {
        let path = folder.join(format!("fibra-cached-{}-{name}", std::process::id()));
        fs::write(&path, contents).unwrap();
        Temporary(path)
    }

    fn open(&self) -> File {
        fibra::fs::File::open(&self.0).unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Returns folders on different file systems, as far as there are some.
fn folders() -> Vec<PathBuf> {
    let memory = Path::new("/dev/shm");
    [std::env::temp_dir(), memory.into()].into_iter().filter(|path| path.is_dir()).collect()
}

fn contents(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

/// Returns whether the byte of `file` at that place is in memory: cached, or the file system is
/// tmpfs.
fn is_cached(file: impl AsFd, at: u64) -> bool {
    let tmpfs = rustix::fs::fstatfs(&file).unwrap().f_type == 0x0102_1994;
    let mut byte = [0];
    let mut slices = [IoSliceMut::new(&mut byte)];
    tmpfs || preadv2(file, &mut slices, at, ReadWriteFlags::NOWAIT) == Ok(1)
}

/// Removes a part of the file, or all of it from there if `length` is 0, from the page cache. That
/// has no effect if the file system keeps its files in memory.
fn evict(path: &Path, from: u64, length: u64) {
    let file = fs::File::open(path).unwrap();
    file.sync_all().unwrap();
    let length = std::num::NonZero::new(length);
    fadvise(&file, from, length, Advice::DontNeed).unwrap();
}

/// Runs `f`, and returns its result and whether other fibers ran meanwhile.
fn lets_others_run<T>(f: impl FnOnce() -> T) -> (T, bool) {
    let ran = std::rc::Rc::new(Cell::new(false));
    let other = ran.clone();
    let fiber = spawn(move || other.set(true));
    let value = f();
    let others_ran = ran.get();
    fiber.join().unwrap();
    (value, others_ran)
}

#[test]
fn a_read_of_cached_bytes_does_not_leave_the_thread() {
    for folder in folders() {
        let file = Temporary::new(&folder, "cached", &contents(10_000));
        fibra::run(|| {
            let mut file = file.open();
            if !is_cached(&file, 0) {
                return;
            }
            let mut buf = [0; 4096];
            let ((), others_ran) = lets_others_run(|| {
                assert_eq!(file.read(&mut buf).unwrap(), 4096);
                assert_eq!(buf[..], contents(10_000)[..4096]);
                assert_eq!(file.read_at(&mut buf, 1).unwrap(), 4096);
                assert_eq!(buf[..], contents(10_000)[1..4097]);
                file.read_exact_at(&mut buf, 2).unwrap();
                assert_eq!(file.stream_position().unwrap(), 4096);
                let mut rest = vec![7];
                assert_eq!(file.read_to_end(&mut rest).unwrap(), 10_000 - 4096);
                assert_eq!(rest[1..], contents(10_000)[4096..]);
                assert_eq!(file.read(&mut buf).unwrap(), 0);
                file.rewind().unwrap();
                assert_eq!(file.read(&mut []).unwrap(), 0);
                file.read_exact(&mut buf).unwrap();
            });
            assert!(!others_ran);
        });
    }
}

#[test]
fn a_read_of_bytes_that_are_not_cached_lets_others_run() {
    let name = "evicted";
    let length = 300_000;
    for folder in folders() {
        let file = Temporary::new(&folder, name, &contents(length));
        fibra::run(|| {
            let (mut uncached, mut waited) = (0, 0);
            for _ in 0..10 {
                evict(&file.0, 0, 0);
                let mut file = file.open();
                // This makes the kernel fetch what follows, but nothing that precedes it.
                let cached = is_cached(&file, length as u64 - 10_000);
                let mut buf = [0; 4096];
                let (n, others_ran) = lets_others_run(|| file.read(&mut buf).unwrap());
                assert_eq!((n, &buf[..]), (4096, &contents(length)[..4096]));
                uncached += u32::from(!cached);
                waited += u32::from(others_ran);
            }
            // The thread may be so quick that the fiber need not wait.
            assert!(uncached < 10 || 0 < waited);
            // The first half is cached. A read keeps the part of it that it got.
            for from in [1 << 17, 1 << 16, 70_000] {
                fs::read(&file.0).unwrap();
                evict(&file.0, from, 0);
                let mut all = Vec::new();
                assert_eq!(file.open().read_to_end(&mut all).unwrap(), length);
                assert!(all == contents(length));
                evict(&file.0, from, 0);
                let mut all = vec![0; length];
                file.open().read_exact(&mut all).unwrap();
                assert!(all == contents(length));
            }
        });
    }
}

#[test]
fn a_fiber_that_reads_a_large_cached_file_lets_others_run() {
    let length = 8 << 20;
    let file = Temporary::new(&std::env::temp_dir(), "large", &contents(length));
    fibra::run(|| {
        let turns = std::rc::Rc::new(Cell::new(0));
        let other = turns.clone();
        let counts = spawn(move || {
            loop {
                other.set(other.get() + 1);
                yield_now();
            }
        });
        for chunk in [4 << 10, 64 << 10, 1 << 20] {
            let mut file = file.open();
            turns.set(0);
            let (mut buf, mut all) = (vec![0; chunk], 0);
            loop {
                match file.read(&mut buf).unwrap() {
                    0 => break,
                    n => all += n,
                }
            }
            assert_eq!(all, length);
            // It yields at least once per 512 KiB.
            assert!(length / (512 << 10) <= turns.get(), "{chunk}: {}", turns.get());
        }
        turns.set(0);
        assert_eq!(file.open().read_to_end(&mut Vec::new()).unwrap(), length);
        assert!(length / (512 << 10) <= turns.get(), "{}", turns.get());
        counts.kill();
        drop(counts.join());
    });
}

#[test]
fn a_fiber_that_only_reads_cached_bytes_can_be_killed_and_has_time_limits() {
    let file = Temporary::new(&std::env::temp_dir(), "killed", &contents(100));
    fibra::run(|| {
        let file = std::rc::Rc::new(file.open());
        let other = file.clone();
        let reads = spawn(move || {
            let mut other = &*other;
            loop {
                other.rewind().unwrap();
                other.read_exact(&mut [0; 100]).unwrap();
            }
        });
        yield_now();
        reads.kill();
        assert!(reads.join().unwrap_err().is_killed());
        let endless = || loop {
            file.read_at(&mut [0; 100], 0).unwrap();
        };
        assert!(timeout(ms(5), endless).is_err());
        // Neither has kept its turn.
        (&*file).rewind().unwrap();
        assert_eq!((&*file).read(&mut [0; 100]).unwrap(), 100);
        assert!(std::rc::Rc::into_inner(file).unwrap().into_std().is_ok());
    });
}

/// A source of numbers for a random program.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % n
    }
}

/// Reads until `buf` is full or the file has ended. Each read may stop at the end of what is
/// cached.
fn fill(
    buf: &mut [u8],
    mut read: impl FnMut(&mut [u8], usize) -> io::Result<usize>,
) -> io::Result<u64> {
    let mut done = 0;
    while done < buf.len() {
        match read(&mut buf[done..], done)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done as u64)
}

/// Does one random step, and returns a description of it and of its result.
fn step<F: Read + Write + Seek + FileExt>(file: &mut F, random: &mut Random) -> String {
    let (kind, length, place) = (random.below(12), random.below(9_000), random.below(40_000));
    let mut buf = vec![0; length];
    let result: io::Result<u64> = match kind {
        0..=2 => fill(&mut buf, |rest, _| file.read(rest)),
        3 => fill(&mut buf, |rest, done| file.read_at(rest, (place + done) as u64)),
        4 => file.read_exact(&mut buf).map(|()| 0),
        5 => file.read_exact_at(&mut buf, place as u64).map(|()| 0),
        6 => {
            let (one, two) = buf.split_at_mut(length / 2);
            let n = file.read_vectored(&mut [IoSliceMut::new(one), IoSliceMut::new(two)]);
            // It may stop at the end of the first buffer.
            let n = n.unwrap();
            file.seek(SeekFrom::Current(-(n as i64))).inspect(|_| buf.fill(0))
        }
        7 => file.read_to_end(&mut buf).map(|n| n as u64),
        8 => {
            let mut text = String::from("text");
            let n = file.read_to_string(&mut text);
            buf = text.into_bytes();
            n.map(|n| n as u64)
        }
        9 => file.write(&buf).map(|n| n as u64),
        10 => file.seek(SeekFrom::Start(place as u64)),
        _ => file.seek(SeekFrom::Current(length as i64)),
    };
    let position = file.stream_position().unwrap();
    let sum: u64 = buf.iter().enumerate().map(|(at, byte)| at as u64 * u64::from(*byte)).sum();
    let result = result.map_err(|error| (error.kind(), error.to_string()));
    format!("{kind} {length} {place}: {result:?}, {sum}, {} bytes, at {position}", buf.len())
}

#[test]
fn random_programs_see_what_they_see_with_std() {
    for (folder, append) in folders().iter().flat_map(|folder| [(folder, false), (folder, true)]) {
        let ours = Temporary::new(folder, &format!("ours-{append}"), &contents(30_000));
        let theirs = Temporary::new(folder, &format!("theirs-{append}"), &contents(30_000));
        let mut options = fs::OpenOptions::new();
        options.read(true).write(!append).append(append);
        fibra::run(|| {
            let mut file = fibra::fs::OpenOptions::from(options.clone()).open(&ours.0).unwrap();
            let mut clone = file.try_clone().unwrap();
            // Shares the position, and not the turns.
            let plain = fs::File::from(file.as_fd().try_clone_to_owned().unwrap());
            let mut plain = File::from_std(plain);
            let mut std = options.open(&theirs.0).unwrap();
            let (mut random, mut same) = (Random(7), Random(7));
            let mut which = Random(8);
            for n in 0..2_000 {
                let handle = match which.below(3) {
                    0 => &mut file,
                    1 => &mut clone,
                    _ => &mut plain,
                };
                let (step, expected) = (step(handle, &mut random), step(&mut std, &mut same));
                assert_eq!(step, expected, "step {n} in {}", folder.display());
                match which.below(50) {
                    0 => evict(&ours.0, 0, 0),
                    1 => evict(&ours.0, which.below(30_000) as u64, which.below(9_000) as u64),
                    2 => {
                        let length = which.below(30_000) as u64;
                        handle.set_len(length).unwrap();
                        std.set_len(length).unwrap();
                    }
                    _ => {}
                }
            }
        });
        assert!(fs::read(&ours.0).unwrap() == fs::read(&theirs.0).unwrap());
    }
}

#[test]
fn a_file_that_becomes_shorter_ends_earlier() {
    let file = Temporary::new(&std::env::temp_dir(), "shorter", &contents(200_000));
    fibra::run(|| {
        let mut reader = file.open();
        let mut buf = vec![0; 65_536];
        assert_eq!(reader.read(&mut buf).unwrap(), 65_536);
        let writer = fs::OpenOptions::new().write(true).open(&file.0).unwrap();
        writer.set_len(65_546).unwrap();
        assert_eq!(reader.read(&mut buf).unwrap(), 10);
        assert_eq!(reader.read(&mut buf).unwrap(), 0);
        writer.set_len(100).unwrap();
        assert_eq!(reader.read(&mut buf).unwrap(), 0);
        assert_eq!(reader.read_at(&mut buf, 101).unwrap(), 0);
        assert_eq!(reader.read_to_end(&mut buf).unwrap(), 0);
        writer.set_len(65_550).unwrap();
        assert_eq!(reader.read(&mut buf).unwrap(), 4);
    });
}

#[test]
fn special_files_behave_like_with_std() {
    fibra::run(|| {
        let mut status = String::new();
        File::open("/proc/self/status").unwrap().read_to_string(&mut status).unwrap();
        assert!(status.contains("Threads:"));
        let mut maps = Vec::new();
        let mut file = File::open("/proc/self/maps").unwrap();
        file.read_exact(&mut [0; 10]).unwrap();
        assert!(100 < file.read_to_end(&mut maps).unwrap());
        let mut byte = [1];
        assert_eq!(file.read_at(&mut byte, 0).unwrap(), 1);

        let mut directory = File::open("/").unwrap();
        let expected = fs::File::open("/").unwrap().read(&mut byte).unwrap_err();
        let error = directory.read(&mut byte).unwrap_err();
        assert_eq!(error.raw_os_error(), expected.raw_os_error());
        assert_eq!(directory.read_to_end(&mut Vec::new()).unwrap_err().kind(), error.kind());

        assert_eq!(File::open("/dev/zero").unwrap().read(&mut byte).unwrap(), 1);
        assert_eq!(byte, [0]);
        assert_eq!(File::open("/dev/null").unwrap().read(&mut byte).unwrap(), 0);
        assert_eq!(File::open("/dev/null").unwrap().read_to_end(&mut Vec::new()).unwrap(), 0);
    });
}

#[test]
fn reads_that_must_fail_fail_like_with_std() {
    let file = Temporary::new(&std::env::temp_dir(), "errors", b"no text: \xff");
    fibra::run(|| {
        let mut only_written = File::options().write(true).open(&file.0).unwrap();
        let mut std = fs::OpenOptions::new().write(true).open(&file.0).unwrap();
        let error = only_written.read(&mut [0; 10]).unwrap_err();
        assert_eq!(error.raw_os_error(), std.read(&mut [0; 10]).unwrap_err().raw_os_error());
        assert_eq!(only_written.read_to_end(&mut Vec::new()).unwrap_err().kind(), error.kind());
        let mut reader = file.open();
        for at in [u64::MAX, i64::MAX as u64 + 1] {
            let error = reader.read_at(&mut [0; 1], at).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(reader.stream_position().unwrap(), 0);
        assert_eq!(reader.seek(SeekFrom::Current(-1)).unwrap_err().kind(), ErrorKind::InvalidInput);
        let mut text = String::from("kept");
        let error = reader.read_to_string(&mut text).unwrap_err();
        assert_eq!((error.kind(), text.as_str()), (ErrorKind::InvalidData, "kept"));
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
    });
}

#[test]
fn a_file_that_bypasses_the_cache_is_read_by_a_thread() {
    let file = Temporary::new(&std::env::temp_dir(), "direct", &contents(8192));
    let flags = OFlags::DIRECT.bits().cast_signed();
    let options = fs::OpenOptions::new().read(true).custom_flags(flags).clone();
    // Not all file systems allow it.
    if options.open(&file.0).is_err() {
        return;
    }
    fibra::run(|| {
        let mut file = fibra::fs::OpenOptions::from(options).open(&file.0).unwrap();
        let mut buf = [0; 8192];
        // It fails if the buffer of the thread is not aligned.
        let (_, others_ran) = lets_others_run(|| file.read(&mut buf));
        assert!(others_ran);
    });
}

#[test]
fn fibers_of_several_schedulers_read_one_file_in_turns() {
    let length = 1 << 20;
    let file = Temporary::new(&std::env::temp_dir(), "several", &contents(length));
    let file = fibra::run(|| file.open());
    let sums: Vec<u64> = std::thread::scope(|s| {
        let reader = || {
            fibra::run(|| {
                let (mut buf, mut sum) = ([0; 1000], 0);
                loop {
                    match (&file).read(&mut buf).unwrap() {
                        0 => return sum,
                        n => sum += buf[..n].iter().map(|byte| u64::from(*byte)).sum::<u64>(),
                    }
                }
            })
        };
        let threads: Vec<_> = (0..3).map(|_| s.spawn(reader)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let expected: u64 = contents(length).iter().map(|byte| u64::from(*byte)).sum();
    assert_eq!(sums.iter().sum::<u64>(), expected);
}
