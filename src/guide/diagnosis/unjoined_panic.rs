//! A panic that no one joins.
//!
//! A fiber that panics ends alone, like a thread, and its handle has the payload. If the handle was
//! dropped, fibra reports the panic once, with the fiber and the line that spawned it:
//!
//! ```text
//! fibra: fiber 'baker' (#2), spawned at src/main.rs:4:44, panicked and was not joined: no flour
//! ```
//!
//! The message that std prints at the moment of the panic names the thread, which runs many fibers.
//! [`install_panic_hook`](crate::install_panic_hook) adds a line above it, and
//! `fibra::main` calls that:
//!
//! ```text
//! fibra: fiber 'baker' (#2), spawned at src/main.rs:4:44, panics:
//! thread 'main' panicked at src/main.rs:4:53:
//! no flour
//! ```
//!
//! A panic that is joined is an error, and `unwrap` on it prints the same fiber and place:
//!
//! ```
//! fibra::run(|| {
//!     let baker = fibra::Builder::new().name("baker").spawn(|| panic!("no flour"));
//!     let text = format!("{:?}", baker.join().unwrap_err());
//!     // Panicked("no flour", fiber 'baker' (#2), spawned at src/main.rs:2:53)
//!     assert!(text.starts_with(r#"Panicked("no flour", fiber 'baker' (#2), spawned at "#));
//! });
//! ```
//!
//! [`Panic::spawned_at`](crate::Panic::spawned_at) has the place as data. The `Display` of the
//! error leaves it out: "the fiber panicked: no flour". A [`scope`](crate::scope) or
//! [`nursery`](crate::nursery) raises the panics of its fibers again where it ends, so that none is
//! lost.
