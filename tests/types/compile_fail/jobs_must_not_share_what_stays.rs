//! A value that goes to another thread must be `Send`, even if the fiber waits for it.

use std::rc::Rc;

fn main() {
    fibra::run(|| {
        let shared = Rc::new(1);
        fibra::blocking::uninterruptible(|| drop(shared.clone()));
    });
}
