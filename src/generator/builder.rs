//! Settings for a generator.

use crate::generator::core::Core;
use crate::generator::{Generator, Yielder};
use crate::stack::SizeClass;

/// Settings for a generator.
///
/// # Examples
///
/// ```
/// use fibra::generator::GeneratorBuilder;
///
/// fibra::frame(|| {
///     let deep = GeneratorBuilder::new().stack_size(1 << 20).build(|y, ()| {
///         y.yield_([0u8; 100_000].len());
///     });
///     assert_eq!(deep.sum::<usize>(), 100_000);
/// });
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct GeneratorBuilder {
    class: SizeClass,
}

impl Default for GeneratorBuilder {
    fn default() -> GeneratorBuilder {
        GeneratorBuilder { class: SizeClass::DEFAULT }
    }
}

impl GeneratorBuilder {
    /// Returns the default settings: a stack of 256 KiB, or of 1 MiB in a build with debug
    /// assertions. Only the pages that are touched take memory.
    pub fn new() -> GeneratorBuilder {
        GeneratorBuilder::default()
    }

    /// Requests a stack of at least `bytes`, rounded up to a power of two between 16 KiB and 1 GiB.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator::{GeneratorBuilder, Yielder};
    ///
    /// fibra::frame(|| {
    ///     let small = GeneratorBuilder::new().stack_size(16 << 10);
    ///     let numbers = small.build(|y: &Yielder<u32>, ()| (1..=3).for_each(|n| y.yield_(n)));
    ///     assert_eq!(numbers.sum::<u32>(), 6);
    /// });
    /// ```
    pub fn stack_size(self, bytes: usize) -> GeneratorBuilder {
        GeneratorBuilder { class: SizeClass::for_bytes(bytes) }
    }

    /// Creates a generator with these settings. See [`Generator::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::generator::{GeneratorBuilder, Yielder};
    ///
    /// fibra::frame(|| {
    ///     let numbers = GeneratorBuilder::new()
    ///         .stack_size(64 << 10)
    ///         .build(|y: &Yielder<u32>, ()| (1..=3).for_each(|n| y.yield_(n)));
    ///     assert_eq!(numbers.sum::<u32>(), 6);
    /// });
    /// ```
    pub fn build<Y, R, T>(
        self,
        f: impl FnOnce(&Yielder<Y, R>, R) -> T + 'static,
    ) -> Generator<Y, R, T>
    where
        Y: 'static,
        R: 'static,
        T: 'static,
    {
        Generator::from_core(Core::new(self.class, Box::new(f), None))
    }

    pub(super) fn class(&self) -> SizeClass {
        self.class
    }
}
