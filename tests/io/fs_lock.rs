//! Locks on files: which ones exclude each other, and that a fiber that has left keeps none.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fibra::fs::{self, File, TryLockError};
use fibra::time::timeout;
use fibra::{spawn, yield_now};

use crate::support::{check, log, ms};

/// A separate file for a test, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("fibra-lock-{}-{name}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        Place(path)
    }

    fn open(&self) -> File {
        File::options().read(true).write(true).open(&self.0).unwrap()
    }

    /// Returns the number of waits for a lock on the file, as listed by the kernel.
    fn waiting(&self) -> usize {
        let inode = format!(":{} ", std::fs::metadata(&self.0).unwrap().ino());
        let books = std::fs::read_to_string("/proc/locks").unwrap();
        books.lines().filter(|line| line.contains("-> ") && line.contains(&inode)).count()
    }

    #[track_caller]
    fn await_waiting(&self, n: usize) {
        soon(|| {
            while self.waiting() != n {
                yield_now();
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns the result of `f`. It takes a moment; if something hangs, the test fails instead.
#[track_caller]
fn soon<T>(f: impl FnOnce() -> T) -> T {
    timeout(Duration::from_secs(20), f).expect("it hangs")
}

#[track_caller]
fn is_taken(tried: Result<(), TryLockError>) -> bool {
    match tried {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn two_handles_exclude_each_other_unless_both_share() {
    let place = Place::new("exclude");
    let try_all = || {
        let (one, other) = (place.open(), place.open());
        one.lock().unwrap();
        assert!(is_taken(other.try_lock()) && is_taken(other.try_lock_shared()));
        one.unlock().unwrap();
        one.lock_shared().unwrap();
        assert!(is_taken(other.try_lock()) && !is_taken(other.try_lock_shared()));
        other.lock_shared().unwrap();
        one.unlock().unwrap();
        assert!(is_taken(one.try_lock()));
        other.unlock().unwrap();
        assert!(!is_taken(one.try_lock()));
        let clone = one.try_clone().unwrap();
        assert!(!is_taken(clone.try_lock()), "a clone has what the other has");
        drop(one);
        assert!(is_taken(other.try_lock()));
        drop(clone);
        other.lock().unwrap();
    };
    fibra::run(|| soon(try_all));
    // On a plain thread.
    try_all();
}

#[test]
fn others_run_while_one_waits() {
    let place = Place::new("others");
    fibra::run(|| {
        let (one, other) = (place.open(), place.open());
        one.lock().unwrap();
        let waits = spawn(move || {
            other.lock().unwrap();
            log("has it");
            other
        });
        place.await_waiting(1);
        log("others run");
        one.unlock().unwrap();
        let other = soon(|| waits.join()).unwrap();
        check("others run has it");
        assert!(is_taken(one.try_lock()));
        drop(other);
        soon(|| one.lock()).unwrap();
    });
}

/// Leaves behind a job that waits for a lock on `other`: its fiber was killed or timed out.
fn leave_a_job_behind(place: &Place, other: &File, by_a_kill: bool) {
    fibra::scope(|s| {
        if by_a_kill {
            let waits = s.spawn(|| other.lock().unwrap());
            place.await_waiting(1);
            waits.kill();
            assert!(waits.join().is_err());
        } else {
            assert!(timeout(ms(5), || other.lock()).is_err());
            // The job may not have begun.
            let _ = timeout(ms(100), || place.await_waiting(1));
        }
    });
}

#[test]
fn what_is_locked_for_a_caller_that_has_left_is_unlocked() {
    let place = Place::new("left");
    fibra::run(|| {
        for by_a_kill in [true, false] {
            let (one, other, third) = (place.open(), place.open(), place.open());
            one.lock().unwrap();
            leave_a_job_behind(&place, &other, by_a_kill);
            one.unlock().unwrap();
            // In either order with the abandoned job, the third one gets the lock and keeps it.
            soon(|| third.lock()).unwrap();
            assert!(is_taken(one.try_lock()));
            third.unlock().unwrap();
            place.await_waiting(0);
            soon(|| one.lock()).unwrap();
        }
    });
}

#[test]
fn a_lock_that_is_taken_again_after_a_time_limit_is_kept() {
    let place = Place::new("again");
    fibra::run(|| {
        for _ in 0..20 {
            let (one, other) = (place.open(), place.open());
            one.lock().unwrap();
            leave_a_job_behind(&place, &other, true);
            // The abandoned job might still get the lock, which would then have no owner.
            assert!(is_taken(other.try_lock()));
            let again = spawn({
                let other = other.try_clone().unwrap();
                move || other.lock()
            });
            yield_now();
            one.unlock().unwrap();
            soon(|| again.join()).unwrap().unwrap();
            place.await_waiting(0);
            assert!(is_taken(one.try_lock()), "the abandoned job has released it");
        }
    });
}

#[test]
fn a_lock_is_held_by_the_killed_fiber_or_by_none() {
    let place = Place::new("or_none");
    fibra::run(|| {
        let (one, other) = (place.open(), place.open());
        for round in 0..100 {
            soon(|| one.lock()).unwrap();
            fibra::scope(|s| {
                let waits = s.spawn(|| other.lock().unwrap());
                if round % 2 == 0 {
                    place.await_waiting(1);
                }
                one.unlock().unwrap();
                (0..round % 7).for_each(|_| yield_now());
                waits.kill();
                if waits.join().is_ok() {
                    assert!(is_taken(one.try_lock()));
                    other.unlock().unwrap();
                }
            });
        }
        soon(|| one.lock()).unwrap();
    });
}

#[test]
fn waiters_do_not_keep_the_owner_from_its_files() {
    // More than the number of threads for files.
    const WAITING: usize = 150;
    let place = Place::new("owner");
    let note = place.0.with_extension("note");
    fibra::run(|| {
        let one = place.open();
        one.lock().unwrap();
        fibra::scope(|s| {
            for _ in 0..WAITING {
                s.spawn(|| {
                    let other = place.open();
                    other.lock().unwrap();
                    add_one(&note);
                });
            }
            place.await_waiting(WAITING);
            soon(|| fs::write(&note, "0")).unwrap();
            one.unlock().unwrap();
        });
        assert_eq!(fs::read_to_string(&note).unwrap(), WAITING.to_string());
        fs::remove_file(&note).unwrap();
    });
}

/// Adds one to the number in `note`. Without a lock, two callers would read the same number.
fn add_one(note: &Path) {
    let number: usize = fs::read_to_string(note).unwrap().parse().unwrap();
    fs::write(note, (number + 1).to_string()).unwrap();
}

#[test]
fn a_fiber_that_asks_again_and_is_killed_keeps_what_it_had() {
    let place = Place::new("had");
    fibra::run(|| {
        let (one, other) = (place.open(), place.open());
        one.lock().unwrap();
        for round in 0..50 {
            fibra::scope(|s| {
                let again = s.spawn(|| one.lock().unwrap());
                (0..round % 7).for_each(|_| yield_now());
                again.kill();
                drop(again.join());
            });
            fibra::sleep(ms(2));
            assert!(is_taken(other.try_lock()), "round {round}");
        }
    });
}
