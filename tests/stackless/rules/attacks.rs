//! Hostile programs in safe code: payloads, captures and handlers that call back, tasklets and
//! guards that outlive their makers. Each program must fail cleanly or work.

#![allow(clippy::disallowed_methods, reason = "threads whose thread-locals are destroyed")]

mod borrows;
mod callbacks;
mod destructors;
mod outliving;
mod unwinding;

/// A value whose destructor calls `fibra::stackless` in many ways that its dropper must not notice.
struct Meddler(&'static str);

impl Drop for Meddler {
    fn drop(&mut self) {
        use crate::support::stackless::quietly;
        use fibra::stackless;
        crate::support::log(self.0);
        quietly(|| stackless::schedule());
        quietly(|| stackless::run());
        quietly(|| drop(stackless::getcurrent()));
        quietly(|| drop(stackless::tasklet(|()| {}).bind(()).run()));
        quietly(|| drop(stackless::set_error_handler(None)));
        quietly(|| {
            let _trap = stackless::block_trap(true);
            drop(stackless::Channel::new().send(Box::new(1)));
        });
        quietly(|| drop(stackless::switch_trapped()));
        quietly(|| stackless::tick());
    }
}
