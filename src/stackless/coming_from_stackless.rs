//! A guide for users of Stackless Python: the names here, and a program in both languages. (This
//! module contains documentation only.)
//!
//! # A program
//!
//! ```python
//! import stackless
//!
//! def producer(channel, n):
//!     for i in range(n):
//!         print("made", i)
//!         channel.send(i)
//!     channel.close()
//!
//! def consumer(channel):
//!     for item in channel:
//!         print("used", item)
//!
//! channel = stackless.channel()
//! stackless.tasklet(consumer)(channel)
//! stackless.tasklet(producer)(channel, 3)
//! stackless.run()
//! ```
//!
//! ```
//! use fibra::stackless::{self, Channel};
//!
//! fn producer((channel, n): (Channel<u32>, u32)) {
//!     for i in 0..n {
//!         println!("made {i}");
//!         channel.send(i).unwrap();
//!     }
//!     channel.close_and_wake();
//! }
//!
//! fn consumer(channel: Channel<u32>) {
//!     for item in &channel {
//!         println!("used {item}");
//!     }
//! }
//!
//! fibra::run(|| {
//!     let channel = Channel::new();
//!     stackless::tasklet(consumer).setup(channel.clone());
//!     stackless::tasklet(producer).setup((channel, 3));
//!     stackless::run();
//! });
//! ```
//!
//! Both print made 0, used 0, made 1, used 1, made 2, used 2. Three things differ. The scheduler
//! runs inside [`fibra::run`](crate::run). Several arguments are passed as a tuple. And in Python
//! the consumer is left blocked at the end, because `close` does not wake it: here
//! `close_and_wake` ends its loop.
//!
//! # Exceptions
//!
//! A Python exception is an unwind here, and its value is the payload:
//!
//! | Python | Rust |
//! |---|---|
//! | `raise x` | [`raise(x)`](crate::stackless::raise), or `panic!`, which prints a message first |
//! | `try: f()` `except E as e:` | `match` [`caught(f)`](crate::stackless::caught), then `payload.downcast::<E>()` |
//! | `raise`, of a caught exception | `raise(payload)` |
//! | `except TaskletExit:` | `payload.is::<TaskletExit>()` |
//! | `finally:` | a destructor, or [`fibra::finally`](crate::finally) |
//!
//! `caught` does not catch fibra's own kill, whose payload has a private type;
//! [`std::panic::catch_unwind`] does.
//!
//! # Names
//!
//! | Stackless | fibra |
//! |---|---|
//! | `tasklet(f)` | [`tasklet(f)`](crate::stackless::tasklet()), a [`Bound`](crate::stackless::Bound) |
//! | `tasklet(f)(*args)`, `t.setup(*args)` | [`Bound::setup`](crate::stackless::Bound::setup) |
//! | `tasklet(f)()` | [`spawn(f)`](crate::stackless::spawn) |
//! | `tasklet(f, args)`, `t.bind(f, args)` | [`Bound::bind`](crate::stackless::Bound::bind) |
//! | `tasklet()` | [`Tasklet::new`](crate::stackless::Tasklet::new) |
//! | `t.bind(f)`, `t.bind(None)` | [`Tasklet::bind`](crate::stackless::Tasklet::bind), [`unbind`](crate::stackless::Tasklet::unbind) |
//! | `t.insert()`, `remove()`, `run()`, `switch()` | the same methods of [`Tasklet`](crate::stackless::Tasklet) |
//! | `t.kill()`, `t.kill(pending=True)` | [`kill`](crate::stackless::Tasklet::kill), [`kill_pending`](crate::stackless::Tasklet::kill_pending) |
//! | `t.throw(e)`, `t.raise_exception(E, ...)` | [`throw`](crate::stackless::Tasklet::throw), [`throw_pending`](crate::stackless::Tasklet::throw_pending) |
//! | `t.alive`, `blocked`, `scheduled`, `paused`, `restorable`, `is_current`, `is_main` | `is_alive()`, `is_blocked()`, ... of [`Tasklet`](crate::stackless::Tasklet) |
//! | `t.next`, `t.prev` | [`next`](crate::stackless::Tasklet::next), [`prev`](crate::stackless::Tasklet::prev) |
//! | `t.tempval` | [`set_tempval`](crate::stackless::Tasklet::set_tempval), [`take_tempval`](crate::stackless::Tasklet::take_tempval), [`Channel::replace_message`](crate::stackless::Channel::replace_message) |
//! | `t.atomic`, `t.set_atomic(b)` | [`atomic`](crate::stackless::Tasklet::atomic), [`set_atomic`](crate::stackless::Tasklet::set_atomic) |
//! | `t.block_trap` | [`block_trap`](crate::stackless::Tasklet::block_trap), [`set_block_trap`](crate::stackless::Tasklet::set_block_trap) |
//! | `t.thread_id` | [`thread_id`](crate::stackless::Tasklet::thread_id) |
//! | `t.bind_thread()` | [`PortableTasklet::bind_thread`](crate::stackless::PortableTasklet::bind_thread) |
//! | a tasklet used from another thread | [`RemoteTasklet`](crate::stackless::RemoteTasklet) |
//! | `weakref.ref(t)` | [`WeakTasklet`](crate::stackless::WeakTasklet) |
//! | `schedule()`, `schedule_remove()` | [`schedule`](crate::stackless::schedule()), [`schedule_remove`](crate::stackless::schedule_remove) |
//! | `run()` | [`run`](crate::stackless::run) |
//! | `run(timeout, threadblock, soft, totaltimeout)` | [`Run`](crate::stackless::Run) and its settings |
//! | `getcurrent()`, `getmain()`, `getruncount()` | the same functions of [`stackless`](crate::stackless) |
//! | `get_thread_info()` | [`thread_info`](crate::stackless::thread_info) |
//! | `switch_trap(n)`, `with switch_trap:` | [`switch_trap`](crate::stackless::switch_trap), [`switch_trapped`](crate::stackless::switch_trapped) |
//! | `with atomic():` | [`let _guard = atomic();`](crate::stackless::atomic()) |
//! | `set_schedule_callback`, `set_channel_callback`, `set_error_handler` | the same functions of [`stackless`](crate::stackless) |
//! | `channel()` | [`Channel::new`](crate::stackless::Channel::new), [`SharedChannel::new`](crate::stackless::SharedChannel::new) |
//! | `c.send`, `receive`, `send_exception`, `send_sequence` | the same methods of [`Channel`](crate::stackless::Channel) |
//! | `c.balance`, `preference`, `schedule_all`, `closing`, `closed` | `balance()`, `set_preference(..)`, ... of [`Channel`](crate::stackless::Channel) |
//! | `c.queue` | [`Channel::queue`](crate::stackless::Channel::queue), [`Channel::first`](crate::stackless::Channel::first) |
//! | `for x in c:` | `for x in &c` |
//! | `TaskletExit` | [`TaskletExit`](crate::stackless::TaskletExit) |
//! | `RuntimeError` | [`TaskletError`](crate::stackless::TaskletError), [`ChannelError`](crate::stackless::ChannelError) |
