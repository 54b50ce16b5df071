//! A document that several editors change, behind one `ReentrantMutex`: each public method locks
//! it, and the methods call each other.
//!
//! Each change is written to a journal, which takes a moment, and another editor runs meanwhile. So
//! every method locks the document for as long as it runs. `replace` deletes and inserts, and
//! `swap` replaces twice: they keep the lock, and the methods that they call lock it again. No
//! other editor sees a line that is half replaced. With a `Mutex` the second lock would panic,
//! since its fiber holds the first one: each method would need a private twin that does not lock.
//!
//! A guard gives a shared reference only, so the lines are in a `RefCell`. It is borrowed for
//! single steps, and never across the wait for the journal.
//!
//! ```text
//! $ cargo run --release --example document
//!    4 ms  ann swaps 0 and 2:     one two three -> three two one
//!    5 ms  bob inserts zero:      three two one -> zero three two one
//!    7 ms  cid writes TWO:        zero three two one -> zero three TWO one
//!    8 ms  eve deletes line 1:    zero three TWO one -> zero TWO one
//! 8 entries in the journal; the texts that a reader saw:
//!          three two one
//!          zero three TWO one
//!          zero TWO one
//! ```
//!
//! The clock is virtual: the milliseconds take no time, and the run is the same each time.

mod broken_pipe;

use fibra::sync::ReentrantMutex;
use std::cell::{Cell, RefCell};
use std::io;
use std::time::Duration;

/// The time that the journal takes for an entry.
const ENTRY: Duration = Duration::from_millis(1);

/// A list of lines whose methods each change it as a whole.
struct Document {
    text: ReentrantMutex<Text>,
}

struct Text {
    lines: RefCell<Vec<String>>,
    entries: Cell<u32>,
}

impl Document {
    fn new(lines: &[&str]) -> Document {
        let lines = RefCell::new(lines.iter().map(|line| line.to_string()).collect());
        Document { text: ReentrantMutex::new(Text { lines, entries: Cell::new(0) }) }
    }

    fn insert(&self, at: usize, line: &str) {
        let text = self.text.lock();
        text.lines.borrow_mut().insert(at, line.into());
        text.write_entry();
    }

    /// Deletes a line and returns it.
    fn delete(&self, at: usize) -> String {
        let text = self.text.lock();
        let line = text.lines.borrow_mut().remove(at);
        text.write_entry();
        line
    }

    /// Replaces a line, and returns what it was.
    fn replace(&self, at: usize, line: &str) -> String {
        let _whole = self.text.lock();
        let old = self.delete(at);
        self.insert(at, line);
        old
    }

    fn swap(&self, one: usize, other: usize) {
        let text = self.text.lock();
        let line = text.lines.borrow()[other].clone();
        let line = self.replace(one, &line);
        self.replace(other, &line);
    }

    fn text(&self) -> String {
        self.text.lock().lines.borrow().join(" ")
    }
}

impl Text {
    /// Waits until the change is in the journal.
    fn write_entry(&self) {
        fibra::sleep(ENTRY);
        self.entries.set(self.entries.get() + 1);
    }
}

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let document = Document::new(&["one", "two", "three"]);
        let start = fibra::now();
        let edit = |at: u32, what: &str, change: &dyn Fn()| {
            fibra::sleep(at * ENTRY);
            // The same lock again: what is printed is this change and no other.
            let _whole = document.text.lock();
            let before = document.text();
            change();
            let time = (fibra::now() - start).as_millis();
            println!("{time:4} ms  {what:<22} {before} -> {}", document.text());
        };
        let texts = fibra::scope(|s| {
            s.spawn(|| edit(0, "ann swaps 0 and 2:", &|| document.swap(0, 2)));
            s.spawn(|| edit(2, "bob inserts zero:", &|| document.insert(0, "zero")));
            s.spawn(|| edit(4, "cid writes TWO:", &|| drop(document.replace(2, "TWO"))));
            s.spawn(|| edit(6, "eve deletes line 1:", &|| drop(document.delete(1))));
            // Reads as often as it can. In the middle of `replace` a line is missing.
            let reader = s.spawn(|| {
                let mut texts = Vec::new();
                while fibra::now() - start < 12 * ENTRY {
                    fibra::sleep(ENTRY);
                    texts.push(document.text());
                }
                texts.dedup();
                texts
            });
            reader.join().expect("it does not panic")
        });
        let entries = document.text.lock().entries.get();
        println!("{entries} entries in the journal; the texts that a reader saw:");
        texts.iter().for_each(|text| println!("         {text}"));
    });
    Ok(())
}
