//! Tests of the word of a lock, and of its bounds.

use super::word::ONE_READER;
use super::*;

fn lock_of(word: u64) -> RawRwLock {
    let lock = RawRwLock::new();
    lock.word.store(word, Ordering::Relaxed);
    lock
}

#[test]
fn the_greatest_countable_number_of_readers_refuses_another_one() {
    let me = Owner::me();
    let lock = lock_of(READ | (READERS - ONE_READER));
    assert!(lock.try_read(me));
    assert!(!lock.try_read(me));
    let panics = || lock.lock_slowly(Mode::Read, None, &WaitReason::NOT_STARTED);
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
    let text = payload.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(text.contains("too many readers"), "{text}");
    lock.unlock_read(me);
    assert!(lock.try_read(me));
}

#[test]
fn the_sum_of_marks_shows_whether_all_readers_are_of_one_scheduler() {
    let marks: Vec<u32> = (1..40).map(|id| Owner::first_of(id).mark()).collect();
    for (own, &mark) in marks.iter().enumerate() {
        for (first, &one) in marks.iter().enumerate() {
            for (second, &two) in marks.iter().enumerate() {
                let word = with_reader(0, one).and_then(|word| with_reader(word, two));
                let mut word = word.unwrap();
                assert_eq!(all_have(word, mark), first == own && second == own);
                word = without_reader(word, one);
                assert_eq!(all_have(word, mark), second == own);
                assert_eq!(without_reader(word, two), 0);
            }
        }
    }
}

#[test]
fn one_reader_alone_is_known_if_it_came_first() {
    let [one, two] = [1, 2].map(Owner::first_of);
    let lock = RawRwLock::new();
    assert!(lock.try_read(one) && lock.try_read(two));
    lock.unlock_read(one);
    assert_eq!(lock.first_reader.load(Ordering::Relaxed), 0);
    lock.unlock_read(two);
    assert!(lock.try_read(two));
    assert_eq!(Owner::of_bits(lock.first_reader.load(Ordering::Relaxed)), two);
}
