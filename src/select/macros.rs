//! The macro `select!`: it reads the arms one by one, then expands to one choice and one match.

/// Waits for the first of several operations, and runs the code beside it.
///
/// ```text
/// select! {
///     biased;                                   // optional: search from the first, always
///     pattern = recv(channel) => code,          // Result<T, RecvError>
///     pattern = send(channel, value) => code,   // Result<(), SendError<T>>
///     pattern = join(&mut handle) => code,      // Result<T, JoinError>
///     wait(event) => code,
///     after(duration) => code,
///     at(instant) => code,
///     pattern = readable(stream) => code,       // std::io::Result<()>
///     pattern = writable(stream) => code,       // std::io::Result<()>
///     pattern = future(future) => code,         // its output
///     pattern = op(operation) => code,          // any `select::Operation`
///     default => code,                          // optional: if each operation would have to wait
/// }
/// ```
///
/// All operations are made before any of them is tried: channels, values and durations are
/// evaluated from the first to the last. The code is expanded in the calling function, so `?`,
/// `break` and `return` work. See [`select`](mod@crate::select) for order and fairness.
///
/// # Panics
///
/// Panics outside of a fiber, and, without a `default`, with a report of all fibers if nothing can
/// ever run again.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::channel::Channel;
///
/// fibra::run(|| {
///     let (news, quit) = (Channel::<&str>::new(), Channel::<()>::new());
///     let (reporter, editor) = (news.clone(), quit.clone());
///     fibra::spawn(move || {
///         reporter.send("fibers are cheap").unwrap();
///         editor.send(()).unwrap();
///     });
///     let mut read = Vec::new();
///     loop {
///         fibra::select! {
///             story = recv(news) => read.push(story.unwrap()),
///             _ = recv(quit) => break,
///             after(Duration::from_secs(1)) => panic!("nothing happens"),
///         }
///     }
///     assert_eq!(read, ["fibers are cheap"]);
/// });
/// ```
#[macro_export]
macro_rules! select {
    (biased; $($arms:tt)+) => { $crate::__select!((true) () () $($arms)+) };
    ($($arms:tt)+) => { $crate::__select!((false) () () $($arms)+) };
}

/// Reads one arm per call: `(biased) (arms read so far) (default) rest`.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // Arms without a pattern come first: a failed attempt to read a pattern is an error.
    ($biased:tt $arms:tt $default:tt after ($($args:tt)*) => $($rest:tt)+) => {
        $crate::__select!($biased $arms $default _ = after ($($args)*) => $($rest)+)
    };
    ($biased:tt $arms:tt $default:tt wait ($($args:tt)*) => $($rest:tt)+) => {
        $crate::__select!($biased $arms $default _ = wait ($($args)*) => $($rest)+)
    };
    ($biased:tt $arms:tt $default:tt at ($($args:tt)*) => $($rest:tt)+) => {
        $crate::__select!($biased $arms $default _ = at ($($args)*) => $($rest)+)
    };
    ($biased:tt $arms:tt () default => $code:block $(, $($rest:tt)*)?) => {
        $crate::__select!($biased $arms ($code) $($($rest)*)?)
    };
    ($biased:tt $arms:tt () default => $code:block $($rest:tt)+) => {
        $crate::__select!($biased $arms ($code) $($rest)+)
    };
    ($biased:tt $arms:tt () default => $code:expr $(, $($rest:tt)*)?) => {
        $crate::__select!($biased $arms ($code) $($($rest)*)?)
    };
    // The others. A block needs no comma behind it.
    ($biased:tt ($($arms:tt)*) $default:tt $pattern:pat = $op:ident ($($args:tt)*) => $code:block $(, $($rest:tt)*)?) => {
        $crate::__select!($biased ($($arms)* {($pattern) ($op $($args)*) ($code)}) $default $($($rest)*)?)
    };
    ($biased:tt ($($arms:tt)*) $default:tt $pattern:pat = $op:ident ($($args:tt)*) => $code:block $($rest:tt)+) => {
        $crate::__select!($biased ($($arms)* {($pattern) ($op $($args)*) ($code)}) $default $($rest)+)
    };
    ($biased:tt ($($arms:tt)*) $default:tt $pattern:pat = $op:ident ($($args:tt)*) => $code:expr $(, $($rest:tt)*)?) => {
        $crate::__select!($biased ($($arms)* {($pattern) ($op $($args)*) ($code)}) $default $($($rest)*)?)
    };
    // All arms are read: number them.
    ($biased:tt ($($arms:tt)*) $default:tt) => {
        $crate::__select!(@number $biased $default (0 1 2 3 4 5 6 7 8 9 10 11) () $($arms)*)
    };
    (@number $biased:tt $default:tt ($n:tt $($more:tt)*) ($($numbered:tt)*) $arm:tt $($arms:tt)*) => {
        $crate::__select!(@number $biased $default ($($more)*) ($($numbered)* [$n $arm]) $($arms)*)
    };
    (@number $biased:tt $default:tt () $numbered:tt $($arms:tt)+) => {
        ::core::compile_error!("`select!` takes up to 12 operations: use `fibra::select::Select`")
    };
    (@number ($biased:tt) $default:tt $numbers:tt ($([$n:tt {$pattern:tt $op:tt ($code:expr)}])+)) => {{
        let mut outputs = ($($crate::__select!(@none $n),)+);
        let chosen = 'choice: {
            let mut operations = ($($crate::__select!(@operation $op),)+);
            let choice = $crate::select::begin::<{ [$($n),+].len() }>($biased);
            let tried = !(false $(|| $crate::select::Operation::is_polled(&operations.$n))+);
            if tried {
                let mut at = choice.first();
                loop {
                    let is_done = match at {
                        $($n => {
                            outputs.$n = $crate::select::Operation::try_now(
                                &mut operations.$n, choice.chooser(),
                            );
                            outputs.$n.is_some()
                        })+
                        _ => false,
                    };
                    if is_done {
                        $($crate::select::Operation::drop_unwaited(operations.$n);)+
                        break 'choice ::core::option::Option::Some(at);
                    }
                    match choice.after(at) {
                        ::core::option::Option::Some(next) => at = next,
                        ::core::option::Option::None => break,
                    }
                }
            }
            let arms = [$($crate::select::Operation::arm(&mut operations.$n),)+];
            let chosen = $crate::__select!(@choose $default choice arms tried);
            match chosen {
                $(::core::option::Option::Some($n) => {
                    outputs.$n = ::core::option::Option::Some(
                        $crate::select::Operation::finish(operations.$n)
                    );
                })+
                _ => {}
            }
            chosen
        };
        match chosen {
            $(::core::option::Option::Some($n) => {
                let $crate::__select!(@pattern $pattern) = outputs.$n.expect("it was just done");
                $code
            })+
            _ => $crate::__select!(@default $default),
        }
    }};
    (@none $n:tt) => { ::core::option::Option::None };
    (@pattern ($pattern:pat)) => { $pattern };
    (@operation (recv $source:expr)) => { $crate::select::recv(&$source) };
    (@operation (send $sink:expr, $value:expr)) => { $crate::select::send(&$sink, $value) };
    (@operation (join $handle:expr)) => { $crate::select::join($handle) };
    (@operation (wait $event:expr)) => { $crate::select::wait(&$event) };
    (@operation (after $duration:expr)) => { $crate::select::after($duration) };
    (@operation (at $instant:expr)) => { $crate::select::at($instant) };
    (@operation (readable $stream:expr)) => { $stream.readable() };
    (@operation (writable $stream:expr)) => { $stream.writable() };
    (@operation (future $future:expr)) => { $crate::select::future($future) };
    (@operation (op $operation:expr)) => { $operation };
    (@operation ($op:ident $($args:tt)*)) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($op), "` is no operation of `select!`: \
             use recv, send, join, wait, after, at, readable, writable, future or op"
        ))
    };
    (@choose () $choice:ident $arms:ident $tried:ident) => {
        ::core::option::Option::Some($choice.wait($arms, $tried))
    };
    (@choose ($default:expr) $choice:ident $arms:ident $tried:ident) => {
        if $tried { ::core::option::Option::None } else { $choice.now($arms) }
    };
    (@default ()) => { ::core::unreachable!("one of the operations was done") };
    (@default ($default:expr)) => { $default };
}
