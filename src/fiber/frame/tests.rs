//! Tests that a frame ends completely even if a destructor panics meanwhile.

use super::*;
use std::panic::catch_unwind;

/// The record of a layer above, whose destructor panics.
struct PanicsOnDrop(Rc<Cell<u32>>);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        panic::resume_unwind(Box::new("at the end of a frame"));
    }
}

/// A frame that has ended, and the number of destructors that have panicked.
type Ended = (Rc<Frame>, u32);

/// Ends the frame of a thread whose extension panics when it is dropped.
fn end_frame_with_a_panic() -> Ended {
    let count = Rc::new(Cell::new(0));
    let on_thread = Frame::enter_on_thread();
    let frame = Frame::current().unwrap();
    frame.set_extension(Rc::new(PanicsOnDrop(count.clone())));
    drop(on_thread);
    (frame, count.get())
}

fn assert_over((frame, panics): Ended) {
    assert_eq!(panics, 1);
    assert!(frame.closed.get() && frame.is_empty());
    assert!(Frame::current().is_none(), "the thread is still in the frame that has ended");
}

#[test]
fn a_destructor_that_panics_at_the_end_of_a_frame_does_not_leave_it_half_closed() {
    assert_over(end_frame_with_a_panic());
}

#[test]
fn one_that_panics_while_the_frame_is_left_by_an_unwind_does_not_abort() {
    struct EndsFrame(Rc<Cell<Option<Ended>>>);
    impl Drop for EndsFrame {
        fn drop(&mut self) {
            self.0.set(Some(end_frame_with_a_panic()));
        }
    }

    let ended = Rc::new(Cell::new(None));
    let in_unwind = EndsFrame(ended.clone());
    let payload = catch_unwind(AssertUnwindSafe(|| {
        let _in_unwind = in_unwind;
        panic::resume_unwind(Box::new("leaves the frame"))
    }));
    assert!(payload.is_err_and(|payload| payload.is::<&str>()));
    assert_over(ended.take().unwrap());
}
