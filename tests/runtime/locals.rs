//! Tests the fiber-locals of jobs: `static inherit` stays with its thread, `static inherit send` is
//! cloned at the spawn and travels with the job.

use std::cell::{Cell, RefCell};
use std::thread;

use crate::on;

fibra::local! {
    static OWN: Cell<u32> = Cell::new(1);
    static inherit HERE: Cell<u32> = Cell::new(1);
    static inherit send TRAVELS: Cell<u32> = Cell::new(1);
    static inherit send TEXT: RefCell<String> = RefCell::new(String::from("none"));
}

fn all() -> (u32, u32, u32) {
    (OWN.with(Cell::get), HERE.with(Cell::get), TRAVELS.with(Cell::get))
}

fn set_all(n: u32) {
    OWN.with(|own| own.set(n));
    HERE.with(|here| here.set(n));
    TRAVELS.with(|travels| travels.set(n));
}

#[test]
fn only_what_is_declared_as_send_crosses() {
    on(2, |handle| {
        set_all(7);
        for index in [0, 1] {
            assert_eq!(handle.spawn_on(index, all).join(), Ok((1, 1, 7)));
        }
        assert_eq!(handle.spawn(all).join(), Ok((1, 1, 7)));
        // A fiber of the same scheduler inherits both kinds.
        assert_eq!(fibra::spawn(all).join().unwrap(), (1, 7, 7));
    });
}

#[test]
fn the_value_is_that_of_the_moment_of_the_spawn() {
    on(2, |handle| {
        set_all(2);
        let early = handle.spawn(all);
        set_all(3);
        let late = handle.spawn(all);
        set_all(4);
        assert_eq!((early.join().unwrap().2, late.join().unwrap().2), (2, 3));
    });
}

#[test]
fn a_job_has_its_own_clone() {
    on(2, |handle| {
        TEXT.with(|text| text.replace("GET /".into()));
        let job = handle.spawn_on(1, || TEXT.with(|text| text.replace("changed".into())));
        assert_eq!(job.join().unwrap(), "GET /");
        assert_eq!(TEXT.with(RefCell::take), "GET /");
    });
}

#[test]
fn it_travels_on_to_the_children_of_the_job() {
    on(2, |handle| {
        set_all(5);
        let inner = handle.clone();
        let job = handle.spawn_on(1, move || {
            let fiber = fibra::spawn(all).join().unwrap();
            (fiber, inner.spawn_on(0, all).join().unwrap())
        });
        assert_eq!(job.join(), Ok(((1, 1, 5), (1, 1, 5))));
    });
}

#[test]
fn a_plain_thread_has_nothing_to_give() {
    on(2, |handle| {
        set_all(6);
        let outside = thread::spawn(move || handle.spawn(all).join());
        assert_eq!(fibra::blocking(move || outside.join().unwrap()), Ok((1, 1, 1)));
    });
}

#[test]
fn its_clones_are_dropped_with_jobs_that_never_start() {
    use std::sync::Arc;
    fibra::local! {
        static inherit send SHARED: RefCell<Option<Arc<()>>> = RefCell::new(None);
    }
    let counted = Arc::new(());
    let given = counted.clone();
    on(2, move |handle| {
        SHARED.with(|shared| shared.replace(Some(given)));
        for index in [0, 1] {
            handle.spawn_on(index, || ()).detach();
            handle.spawn(|| ()).detach();
        }
    });
    assert_eq!(Arc::strong_count(&counted), 1);
}
