//! Settings for a greenlet.

use crate::greenlet::Greenlet;
use crate::greenlet::core::Core;
use crate::stack::SizeClass;

/// Settings for a greenlet.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::GreenletBuilder;
///
/// fibra::frame(|| {
///     let builder = GreenletBuilder::new().stack_size(1 << 20);
///     let deep = builder.build(|n: usize| n + [0u8; 100_000].len());
///     assert_eq!(deep.switch(1).unwrap(), 100_001);
/// });
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct GreenletBuilder {
    class: SizeClass,
}

impl Default for GreenletBuilder {
    fn default() -> GreenletBuilder {
        GreenletBuilder { class: SizeClass::DEFAULT }
    }
}

impl GreenletBuilder {
    /// Returns the default settings: a stack of 256 KiB, or of 1 MiB in a build with debug
    /// assertions. Only the pages that are touched take memory.
    pub fn new() -> GreenletBuilder {
        GreenletBuilder::default()
    }

    /// Requests a stack of at least `bytes`, rounded up to a power of two between 16 KiB and 1 GiB.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::GreenletBuilder;
    ///
    /// fibra::frame(|| {
    ///     let small = GreenletBuilder::new().stack_size(16 << 10).build(|n: u32| n + 1);
    ///     assert_eq!(small.switch(1).unwrap(), 2);
    /// });
    /// ```
    pub fn stack_size(self, bytes: usize) -> GreenletBuilder {
        GreenletBuilder { class: SizeClass::for_bytes(bytes) }
    }

    /// Creates a greenlet with these settings. See [`Greenlet::new`].
    pub fn build<V: 'static>(self, f: impl FnOnce(V) -> V + 'static) -> Greenlet<V> {
        Greenlet::make(Core::new(self.class, Some(Box::new(f))))
    }

    /// Creates a greenlet that has no function yet. See [`Greenlet::empty`].
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::{Greenlet, GreenletBuilder};
    ///
    /// fibra::frame(|| {
    ///     let later: Greenlet<u32> = GreenletBuilder::new().build_empty();
    ///     later.set_run(|n| 2 * n).unwrap();
    ///     assert_eq!(later.switch(21).unwrap(), 42);
    /// });
    /// ```
    pub fn build_empty<V: 'static>(self) -> Greenlet<V> {
        Greenlet::make(Core::new(self.class, None))
    }
}
