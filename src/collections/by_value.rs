//! Iteration by value over receiving types: `for value in receiver`.
//!
//! Invariant: an iterator that owns its source behaves like the one that borrows it.

/// Implements `IntoIterator` for a source, and `Iterator` and `Debug` for the iterator that owns it
/// in a field `source`.
///
/// `by_value!([T: 'static] Channel => IntoIter<T>, T)` names the parameters, the source, its
/// iterator with arguments, and the item type.
macro_rules! by_value {
    ([$($parameters:tt)*] $source:ident => $iter:ident<$($argument:ident),*>, $item:ty) => {
        impl<$($parameters)*> Iterator for $iter<$($argument),*> {
            type Item = $item;

            #[track_caller]
            fn next(&mut self) -> Option<$item> {
                self.source.iter().next()
            }
        }

        impl<$($parameters)*> IntoIterator for $source<$($argument),*> {
            type Item = $item;
            type IntoIter = $iter<$($argument),*>;

            fn into_iter(self) -> $iter<$($argument),*> {
                $iter { source: self }
            }
        }

        impl<$($parameters)*> std::fmt::Debug for $iter<$($argument),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($iter)).field(&self.source).finish()
            }
        }
    };
}

/// Implements what `for` needs of a borrowed source and of the iterator that borrows it in a field
/// `source`.
///
/// `by_reference!([T] Receiver => Values<T>, T, Receiver::receive_next)` names the parameters, the
/// source, its iterator, the items, and the function that returns the next one. An iterator has a
/// type of its own because a wait in a closure would be reported at the closure's line.
macro_rules! by_reference {
    ([$($parameters:tt)*] $source:ident => $iter:ident<$($argument:ident),*>, $item:ty, $next:expr) => {
        impl<$($parameters)*> Iterator for $iter<'_, $($argument),*> {
            type Item = $item;

            #[track_caller]
            fn next(&mut self) -> Option<$item> {
                $next(self.source)
            }
        }

        impl<'a, $($parameters)*> IntoIterator for &'a $source<$($argument),*> {
            type Item = $item;
            type IntoIter = $iter<'a, $($argument),*>;

            fn into_iter(self) -> $iter<'a, $($argument),*> {
                self.iter()
            }
        }

        impl<$($argument),*> std::fmt::Debug for $iter<'_, $($argument),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($iter)).field(self.source).finish()
            }
        }
    };
}

pub(crate) use {by_reference, by_value};
