//! The macros `join!` and `race!`: futures of different types in one.

/// Returns a future of the outputs of several futures, as a tuple. They make progress at the same
/// time, in one task, and may have different types. Handles of fibers are futures, too.
///
/// # Examples
///
/// ```
/// use fibra::future::{block_on, join};
/// use fibra::sync::mpmc;
///
/// fibra::run(|| {
///     let (sender, receiver) = mpmc::bounded(0);
///     let fiber = fibra::spawn(|| "from a fiber");
///     let all = block_on(join!(sender.send_async(7), receiver.recv_async(), fiber));
///     assert_eq!(all, (Ok(()), Ok(7), Ok("from a fiber")));
/// });
/// ```
#[macro_export]
macro_rules! join {
    (@names ($($name:ident)*) ($($futures:expr,)*) $future:expr, $($rest:tt)*) => {
        $crate::join!(@names ($($name)* future) ($($futures,)* $future,) $($rest)*)
    };
    (@names ($($name:ident)*) ($($future:expr,)*)) => {
        match ($($crate::future::MaybeDone::new($future),)*) {
            ($(mut $name,)*) => ::core::future::poll_fn(move |cx| {
                let mut all = true;
                $(all &= $name.poll_done(cx);)*
                if all {
                    ::core::task::Poll::Ready(($($name.take(),)*))
                } else {
                    ::core::task::Poll::Pending
                }
            }),
        }
    };
    ($($future:expr),+ $(,)?) => { $crate::join!(@names () () $($future,)+) };
}

/// Returns a future of the output of the first of several futures that is ready, and drops the
/// others then. They may have different types, with one type of output. Each poll polls them from
/// the first to the last. See [`race`](fn@crate::future::race) for a list of futures.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::future::{block_on, race, sleep};
/// use fibra::sync::mpmc;
///
/// fibra::run(|| {
///     let (sender, receiver) = mpmc::bounded(1);
///     sender.send(7).unwrap();
///     let late = async { sleep(Duration::from_secs(60)).await };
///     let first = block_on(race!(
///         async { receiver.recv_async().await.ok() },
///         async { late.await; None },
///     ));
///     assert_eq!(first, Some(7));
/// });
/// ```
#[macro_export]
macro_rules! race {
    (@names ($($name:ident)*) ($($futures:expr,)*) $future:expr, $($rest:tt)*) => {
        $crate::race!(@names ($($name)* future) ($($futures,)* $future,) $($rest)*)
    };
    (@names ($($name:ident)*) ($($future:expr,)*)) => {
        match ($(::core::option::Option::Some($crate::future::MaybeDone::new($future)),)*) {
            ($(mut $name,)*) => ::core::future::poll_fn(move |cx| {
                let mut winner = ::core::option::Option::None;
                $(if winner.is_none() {
                    let runner = $name.as_mut().expect("a race was polled again after its end");
                    if runner.poll_done(cx) {
                        winner = ::core::option::Option::Some(runner.take());
                    }
                })*
                if let ::core::option::Option::Some(winner) = winner {
                    $($name = ::core::option::Option::None;)*
                    return ::core::task::Poll::Ready(winner);
                }
                ::core::task::Poll::Pending
            }),
        }
    };
    ($($future:expr),+ $(,)?) => { $crate::race!(@names () () $($future,)+) };
}

pub use join;
pub use race;
