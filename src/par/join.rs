//! Two closures at the same time.

use crate::fiber::exit::JoinError;
use crate::par::scope::scope;

/// Runs `a` and `b`, at the same time if another scheduler is free, and returns both results.
///
/// The current fiber runs `a`. `b` is a job, which another scheduler may take; otherwise this one
/// runs it when `a` is done.
///
/// # Panics
///
/// Panics outside of a fiber, and with the panic of `a` or `b`. Also panics if `b` was killed by
/// the end of the runtime.
///
/// # Examples
///
/// ```
/// use fibra::par;
///
/// fn sum(numbers: &[u64]) -> u64 {
///     if numbers.len() < 1000 {
///         return numbers.iter().sum();
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (left, right) = par::join(|| sum(left), || sum(right));
///     left + right
/// }
///
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().all_cores().build()?.run(|| {
///     let numbers: Vec<u64> = (1..=10_000).collect();
///     assert_eq!(sum(&numbers), 50_005_000);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    scope(|s| {
        let b = s.spawn(b);
        let a = a();
        match b.join() {
            Ok(b) => (a, b),
            Err(JoinError::Panicked(panic)) => panic.resume(),
            Err(error) => panic!("the second closure has no result: {error}"),
        }
    })
}
