//! The macro that declares fiber-locals, and their documentation for users: what is inherited, and
//! how they differ from the thread-locals of other crates.
//!
//! Each use of the macro makes a static key and a second static whose address is the key's
//! identity. `locals.rs` has the type of the keys, and keeps the values.

/// Declares fiber-locals, like [`std::thread_local!`] declares thread-locals.
///
/// Each fiber has its own value, which is created when the fiber first uses it.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
///
/// fibra::local! {
///     static COUNT: Cell<u32> = Cell::new(0);
/// }
///
/// fibra::run(|| {
///     COUNT.with(|count| count.set(7));
///     let other = fibra::spawn(|| COUNT.with(Cell::get));
///     assert_eq!(other.join().unwrap(), 0);
///     assert_eq!(COUNT.with(Cell::get), 7);
/// });
/// ```
///
/// # Inherited values
///
/// With `static inherit` a fiber begins with a clone of its parent's value at the time when the
/// parent calls `spawn`. If the parent has no value, the fiber creates its own. The clone belongs
/// to the child: neither sees later changes of the other, unless the value is a shared pointer.
/// This suits data that belongs to a task and to everything that it starts: a request's number, a
/// user, the handle of a span.
///
/// The parent clones the values, in the call that spawns. The fibers of
/// [`Tasklet`](crate::stackless::Tasklet)s inherit nothing, and programs that inherit nothing do
/// not pay for this.
///
/// ```
/// use std::cell::RefCell;
///
/// fibra::local! {
///     static inherit REQUEST: RefCell<String> = RefCell::new(String::from("none"));
/// }
///
/// fibra::run(|| {
///     REQUEST.with(|request| request.replace("GET /".into()));
///     let child = fibra::spawn(|| {
///         let grandchild = fibra::spawn(|| REQUEST.with(RefCell::take));
///         grandchild.join().unwrap()
///     });
///     assert_eq!(child.join().unwrap(), "GET /");
///     assert_eq!(REQUEST.with(RefCell::take), "GET /");
/// });
/// ```
///
/// # Values that jobs inherit
///
/// A job that is spawned by a [`Handle`](crate::Handle) may start on another thread, so it inherits
/// only values that are declared with `static inherit send`, whose type must be `Clone` and `Send`.
/// The value is cloned by the fiber that spawns the job, and travels with the job.
///
/// ```
/// use std::cell::RefCell;
///
/// fibra::local! {
///     static inherit send REQUEST: RefCell<String> = RefCell::new(String::from("none"));
/// }
///
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().threads(2).build()?.run(|| {
///     REQUEST.with(|request| request.replace("GET /".into()));
///     let job = fibra::Handle::current().spawn(|| REQUEST.with(RefCell::take));
///     assert_eq!(job.join().unwrap(), "GET /"); // on whichever thread it ran
/// });
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// fibra::local! {
///     static inherit send SHARED: std::rc::Rc<u32> = std::rc::Rc::new(1);
/// }
/// ```
///
/// # Thread-locals of other crates
///
/// Many crates have a current value that a guard sets and resets: the entered span of `tracing`,
/// the runtime that `tokio::runtime::Handle::enter` makes current, the mark of a `futures` executor
/// that it runs, the thread's random numbers, a transaction. They keep it in a thread-local, which
/// all fibers of a thread share. If a fiber waits while such a guard lives, the fibers that run
/// meanwhile see its value as theirs. If two fibers drop their guards in the order in which they
/// created them, the value of one stays current after both guards are dropped. No error is
/// reported: the span of one request is written beside the events of another. fibra cannot switch
/// thread-locals that it does not know, and `local!` does not change those of other crates.
///
/// So keep the *handle* in a fiber-local, and let no guard live across a wait:
///
/// - Store the span itself, and name it as the parent of an event (`info!(parent: &span, ..)`) or
///   enter it for code that does not wait (`span.in_scope(|| ..)`). `#[instrument]` holds a guard
///   during the whole call, so it suits functions that do not wait.
/// - Store the `tokio::runtime::Handle`, and call its methods (`handle.spawn(..)`) instead of
///   `enter`.
/// - Wait for futures with [`block_on`](crate::future::block_on), and not with an executor of
///   another crate inside a fiber.
///
/// ```
/// use std::cell::{Cell, RefCell};
///
/// // The current name of another crate, per thread.
/// thread_local! {
///     static CURRENT: Cell<&'static str> = const { Cell::new("none") };
/// }
/// // The handle, per fiber.
/// fibra::local! {
///     static inherit REQUEST: RefCell<&'static str> = RefCell::new("none");
/// }
///
/// /// Sets the current name for code that does not wait, and resets it.
/// fn in_request<R>(f: impl FnOnce() -> R) -> R {
///     let before = CURRENT.replace(REQUEST.with(|request| *request.borrow()));
///     let result = f();
///     CURRENT.set(before);
///     result
/// }
///
/// fibra::run(|| {
///     let fibers = ["first", "second"].map(|name| {
///         fibra::spawn(move || {
///             REQUEST.with(|request| request.replace(name));
///             fibra::yield_now(); // the other runs, and no guard lives
///             in_request(|| CURRENT.get())
///         })
///     });
///     assert_eq!(fibers.map(|fiber| fiber.join().unwrap()), ["first", "second"]);
/// });
/// ```
#[macro_export]
macro_rules! local {
    () => {};
    (
        $(#[$attr:meta])* $vis:vis static inherit send $name:ident: $t:ty = $init:expr
        $(; $($rest:tt)*)?
    ) => {
        $crate::local!(@one inherited_send $(#[$attr])* $vis $name: $t = $init);
        $($crate::local!($($rest)*);)?
    };
    (
        $(#[$attr:meta])* $vis:vis static inherit $name:ident: $t:ty = $init:expr $(; $($rest:tt)*)?
    ) => {
        $crate::local!(@one inherited $(#[$attr])* $vis $name: $t = $init);
        $($crate::local!($($rest)*);)?
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty = $init:expr $(; $($rest:tt)*)?) => {
        $crate::local!(@one new $(#[$attr])* $vis $name: $t = $init);
        $($crate::local!($($rest)*);)?
    };
    (@one $make:ident $(#[$attr:meta])* $vis:vis $name:ident: $t:ty = $init:expr) => {
        $(#[$attr])*
        $vis static $name: $crate::FiberLocal<$t> = {
            // Zero-sized statics may share an address. This one has its own byte, and interior
            // mutability, so that it is not merged with another.
            static ID: ::std::sync::atomic::AtomicU8 = ::std::sync::atomic::AtomicU8::new(0);
            $crate::FiberLocal::$make(|| $init, &ID)
        };
    };
}
