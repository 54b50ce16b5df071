//! The state, the identity and the locals of a greenlet.

use crate::greenlet::error::LocalsError;
use crate::greenlet::handle::Greenlet;
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::trace::GreenletId;

impl<V: 'static> Greenlet<V> {
    /// Returns whether the greenlet has ended. A main greenlet is dead when its frame has ended.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.core.header.is_dead()
    }

    /// Returns whether the greenlet has ever been switched to. A main greenlet counts as started.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.is_main() || !self.core.header.is_unstarted()
    }

    /// Returns whether the greenlet has started and is not dead: Python's `bool(g)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::{self, Greenlet};
    ///
    /// fibra::frame(|| {
    ///     let greenlet = Greenlet::new(|n: u32| greenlet::main().switch(n).unwrap());
    ///     assert!(!greenlet.is_active()); // not started
    ///     greenlet.switch(1).unwrap();
    ///     assert!(greenlet.is_active());
    ///     greenlet.switch(2).unwrap();
    ///     assert!(greenlet.is_dead());
    /// });
    /// ```
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_started() && !self.is_dead()
    }

    /// Returns whether the greenlet is the one whose code makes this call.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.core.header.is_current()
    }

    /// Returns whether the greenlet is the main greenlet of a frame (or fiber).
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.core.header.is_main
    }

    /// Returns the identity of the greenlet, for a [tracer](crate::greenlet::settrace).
    #[must_use]
    pub fn id(&self) -> GreenletId {
        self.core.header.id()
    }

    /// Returns the greenlet's locals. They are empty at first, and can be read when the greenlet is
    /// dead.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::{self, Greenlet};
    ///
    /// fibra::frame(|| {
    ///     let greenlet = Greenlet::new(|n: u32| *greenlet::locals().get::<u32>().unwrap() + n);
    ///     greenlet.locals().set(40u32);
    ///     assert_eq!(greenlet.switch(2).unwrap(), 42);
    /// });
    /// ```
    #[must_use]
    pub fn locals(&self) -> GreenletLocals {
        self.core.locals().borrow_mut().get_or_insert_default().clone()
    }

    /// Replaces the greenlet's locals. If the new ones are those of another greenlet, both share
    /// them from now on. Returns the previous locals.
    ///
    /// # Errors
    ///
    /// Returns an error if the greenlet is the current one of another fiber.
    pub fn set_locals(&self, locals: GreenletLocals) -> Result<GreenletLocals, LocalsError> {
        if self.core.header.runs_elsewhere() {
            return Err(LocalsError);
        }
        Ok(self.core.locals().replace(Some(locals)).unwrap_or_default())
    }
}
