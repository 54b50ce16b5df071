//! Waits under calls that return: each wait has `depth` calls between itself and the loop of its
//! task, and all of them return before the next wait.
//!
//! The calls are the same functions in every contender with stacks: a type for each depth, so that
//! each level has code of its own, as in a program whose calls are not one recursion. No level is
//! inlined, and no return value is known before the wait, so no call becomes a jump.

use super::nested::Boxed;
use std::marker::PhantomData;

/// A contender's wait, and the calls above it.
pub(crate) trait Calls {
    /// What the wait needs: nothing, or the coroutine that runs.
    type Context: Copy;

    /// Waits under the calls. Returns `value` plus the number of the calls.
    fn call(context: Self::Context, value: u64) -> u64;
}

/// A call of `Below`.
pub(crate) struct Above<Below>(PhantomData<Below>);

impl<Below: Calls> Calls for Above<Below> {
    type Context = Below::Context;

    #[inline(never)]
    fn call(context: Below::Context, value: u64) -> u64 {
        Below::call(context, value) + 1
    }
}

type Five<Below> = Above<Above<Above<Above<Above<Below>>>>>;

/// Sums up `rounds` waits of the task `id`, each under `depth` calls. `Wait` is inlined into the
/// loop or into the innermost call.
///
/// # Panics
///
/// For a depth that is not in [`RETURNING_DEPTHS`](crate::workloads::RETURNING_DEPTHS).
#[inline(always)]
pub(crate) fn turns<Wait: Calls>(context: Wait::Context, id: u64, rounds: u64, depth: u64) -> u64 {
    match depth {
        0 => sum::<Wait>(context, id, rounds),
        1 => sum::<Above<Wait>>(context, id, rounds),
        5 => sum::<Five<Wait>>(context, id, rounds),
        20 => sum::<Five<Five<Five<Five<Wait>>>>>(context, id, rounds),
        _ => panic!("no calls of depth {depth}"),
    }
}

#[inline(always)]
fn sum<C: Calls>(context: C::Context, id: u64, rounds: u64) -> u64 {
    (0..rounds).map(|round| C::call(context, id + round)).sum()
}

/// Sums up `rounds` waits of the task `id`, each under `depth` boxed calls.
pub(crate) async fn turns_boxed<F, W>(wait: F, id: u64, rounds: u64, depth: u64) -> u64
where
    F: Fn() -> W + Copy + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let mut sum = 0;
    for round in 0..rounds {
        sum += match depth {
            0 => once(wait, id + round).await,
            _ => boxed_call(wait, depth, id + round).await,
        };
    }
    sum
}

/// Waits under `depth` boxes. The innermost of them holds the wait itself.
fn boxed_call<F, W>(wait: F, depth: u64, value: u64) -> Boxed
where
    F: Fn() -> W + Copy + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    Box::pin(async move {
        match depth {
            1 => once(wait, value).await + 1,
            _ => boxed_call(wait, depth - 1, value).await + 1,
        }
    })
}

/// Sums up `rounds` waits of the task `id`, each under `depth` plain `async fn` calls.
///
/// # Panics
///
/// For a depth that is not in [`RETURNING_DEPTHS`](crate::workloads::RETURNING_DEPTHS).
pub(crate) async fn turns_plain<F, W>(wait: F, id: u64, rounds: u64, depth: u64) -> u64
where
    F: Fn() -> W + Copy + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let mut sum = 0;
    for round in 0..rounds {
        let value = id + round;
        sum += match depth {
            0 => once(wait, value).await,
            1 => Above::<Bottom>::awaits(wait, value).await,
            5 => Five::<Bottom>::awaits(wait, value).await,
            20 => Five::<Five<Five<Five<Bottom>>>>::awaits(wait, value).await,
            _ => panic!("no calls of depth {depth}"),
        };
    }
    sum
}

async fn once<W: Future<Output = ()>>(wait: impl Fn() -> W, value: u64) -> u64 {
    wait().await;
    value
}

/// Plain calls above a wait. The callee makes the future: one that gets another as its argument
/// would hold it twice, and twenty of them a million times.
trait Awaits {
    fn awaits<F, W>(wait: F, value: u64) -> impl Future<Output = u64> + Send
    where
        F: Fn() -> W + Copy + Send + 'static,
        W: Future<Output = ()> + Send + 'static;
}

struct Bottom;

impl Awaits for Bottom {
    async fn awaits<F, W>(wait: F, value: u64) -> u64
    where
        F: Fn() -> W + Copy + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        once(wait, value).await
    }
}

impl<Below: Awaits> Awaits for Above<Below> {
    async fn awaits<F, W>(wait: F, value: u64) -> u64
    where
        F: Fn() -> W + Copy + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        Below::awaits(wait, value).await + 1
    }
}
