//! A value that jobs inherit is cloned for them, and travels to another thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

fibra::local! {
    static inherit send SHARED: Rc<str> = Rc::from("local");
}

fibra::local! {
    static inherit send UNCLONED: Cell<Vec<u8>> = Cell::new(Vec::new());
}

fibra::local! {
    static inherit send FINE: RefCell<Vec<u8>> = RefCell::default();
}

fn main() {
    fibra::run(|| {
        SHARED.with(|_| ());
        UNCLONED.with(|_| ());
        FINE.with(|_| ());
    });
}
