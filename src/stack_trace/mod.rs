//! A walked stack: the addresses of its frames, and on request the names of their functions.
//!
//! This module owns no stack and walks none. It is given addresses, by the code that walks the
//! stack of a fiber or of a thread, and makes text of them.
//!
//! Invariants:
//! - Two traces are equal if their addresses are. No comparison looks up a name, so traces can be
//!   grouped where they were made, and names looked up once per group, elsewhere.
//! - Clones share the addresses and the names.
//! - The names are looked up on a thread of its own: that takes more stack than a fiber may have.

#![forbid(unsafe_code)]

mod display;
mod internal;
mod modules;
mod symbols;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The native call stack of a fiber or a thread at one moment.
///
/// Making, cloning and comparing one takes no names into account. [`frames`](StackTrace::frames)
/// and `Display` look the names up, once for all clones: this takes some 20 µs per stack, and up
/// to a second for the first one in a large program, which blocks the thread. In a fiber, call
/// `fibra::blocking(move || trace.to_string())` to let other fibers run meanwhile.
///
/// Its `Display` is one line per frame, from the innermost function of the program to the function
/// with which the fiber began. It leaves out the frames of fibra, of the context switch and of the
/// language's runtime, and counts them; `{:#}` prints all frames. In a program without
/// symbols it prints addresses relative to their file.
///
/// # Examples
///
/// ```
/// use fibra::StackTrace;
///
/// let trace = StackTrace::from_addresses(vec![std::process::id as fn() -> u32 as usize + 1]);
/// assert_eq!(trace, trace.clone());
/// println!("{trace:#}"); // std::process::id at ...
/// ```
#[derive(Clone)]
pub struct StackTrace(Arc<Walked>);

struct Walked {
    addresses: Box<[usize]>,
    frames: OnceLock<Box<[StackFrame]>>,
}

/// An address that stands for the border between two stacks: the frames before it run on a stack of
/// their own, on top of the one that the frames after it run on.
pub(crate) const BORDER: usize = 0;

/// The last address of a trace that does not go on to the root.
pub(crate) const CUT: usize = usize::MAX;

impl StackTrace {
    /// Returns the trace with these return addresses, the innermost frame first.
    ///
    /// The address of an instruction that was interrupted, and not called from, must be given plus
    /// one, because names are looked up for the instruction before each address. An address of 0
    /// marks the border between two stacks: the frames before it run on a stack of their own, on
    /// top of the stack of the frames after it. A last address of `usize::MAX` marks that outer
    /// frames were left out.
    #[must_use]
    pub fn from_addresses(addresses: Vec<usize>) -> StackTrace {
        StackTrace(Arc::new(Walked { addresses: addresses.into(), frames: OnceLock::new() }))
    }

    /// Returns the addresses from which it was made by
    /// [`from_addresses`](StackTrace::from_addresses).
    #[must_use]
    pub fn addresses(&self) -> &[usize] {
        &self.0.addresses
    }

    /// Returns the frames, the innermost first, with their functions, files and lines. A function
    /// that was inlined into another one has a frame of its own.
    ///
    /// The first call looks them up, on a thread that is started for that. It blocks the calling
    /// thread until they are found; see the documentation of the type.
    #[must_use]
    pub fn frames(&self) -> &[StackFrame] {
        self.0.frames.get_or_init(|| symbols::look_up(&self.0.addresses))
    }
}

impl PartialEq for StackTrace {
    fn eq(&self, other: &StackTrace) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.addresses == other.0.addresses
    }
}

impl Eq for StackTrace {}

impl Hash for StackTrace {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.addresses.hash(state);
    }
}

impl fmt::Debug for StackTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StackTrace({} addresses)", self.0.addresses.len())
    }
}

/// A frame of a [`StackTrace`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StackFrame {
    /// The return address, which functions that were inlined into each other share.
    pub address: usize,
    /// The path of the function, if the program has symbols.
    pub function: Option<String>,
    /// The source file, if the program has debug information.
    pub file: Option<PathBuf>,
    /// The number of the line of the call, if the program has debug information.
    pub line: Option<u32>,
    /// The file of the program or library that contains the address, and the address relative to
    /// its start, like "service+0x1f3a0"; only if there is no `function`.
    pub module: Option<String>,
    /// Whether the frame belongs to this crate, to the context switch, or to the runtime of the
    /// language.
    pub is_internal: bool,
    /// Whether the frame is the innermost one of a stack, and the frames before it run on another
    /// one on top of it: in a generator, a greenlet, or a call on a borrowed stack.
    pub begins_stack: bool,
}
