//! Memory for fibers to run on: slabs, guards, pools, and the report of an overflow.
//!
//! Nothing in this folder knows about fibers. `take` a [`Stack`] from a thread's [`Pool`], run any
//! code on it, `give` it back.
//!
//! ```text
//!   slab: one mmap, lowest address on the left; the stride is an odd number of pages
//!   ┌───────┬────────────┬───────┬────────────┬───────┬────────────┬ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┐
//!   │ guard │   slot 0   │ guard │   slot 1   │ guard │   slot 2   │  not carved so far
//!   └───────┴────────────┴───────┴────────────┴───────┴────────────┴ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┘
//!   ↑ start                                                        ↑ start + carved · stride
//!
//!   slot: what one Stack owns
//!   limit                guard().end                                        base      top
//!   ↓                    ↓                                                     ↓       ↓
//!   ┌────────────────────┬─────────────────────────────────────────────────────┬───────┐
//!   │ 17 guard pages:    │ never touched … │ page n-2 │ page n-1: first frames  │colour │
//!   │ a touch is a fault │                       ← the stack grows downwards   │unused │
//!   └────────────────────┴─────────────────────────────────────────────────────┴───────┘
//!                                                        colour = (slot % 32) · 64 bytes
//! ```
//!
//! The reasons for this layout, each of them measured:
//!
//! - *One mapping for many slots*: the kernel allows a process 65,530 mappings by default, and a
//!   stack that is mapped and guarded on its own takes two.
//! - *17 guard pages*: a C function compiled without stack probes may jump over a narrow guard. 17
//!   is odd and the number of usable pages is a power of two, so the stride is odd as well: tops
//!   that lie a power of two apart would share a few sets of the TLB.
//! - *The colour*: page-aligned tops would all share one set of the L1 cache. The colour stays
//!   under 2 KiB, so the first frames still share the top page.
//! - *The far end is never touched*, not even for a canary: a parked fiber costs one page.
//!
//! A stack is in one of three places. Only the move between the first two is on a hot path:
//!
//! ```text
//!              pop / push, a few ns             one lock for many
//!   (in use) ◄──────────────────────► Pool ◄────────────────────────► Reserve ──► slab, unmapped
//!                                one per thread:  not needed       one per process:  when all of
//!                                warm, LIFO       lately: pages    cold              it is idle
//!                                                 dropped
//! ```
//!
//! The pool of a scheduler follows the recent peak of stacks in use: `shelf.rs` finds the stacks
//! that were not needed in a period, `keep.rs` has the periods and the limits, and the run loop
//! gives stacks back when that is due.
//!
//! In builds with a sanitizer a stack that is given back goes through the quarantine first: every
//! access to it faults until thousands of other stacks have been given back.
//!
//! # Environment
//!
//! `FIBRA_STACK_GUARDS=mprotect` guards by `mprotect` even if the kernel supports guard markers.

mod altstack;
#[cfg(all(test, target_os = "linux"))]
mod footprint;
mod guard;
mod keep;
mod limits;
#[cfg(target_os = "linux")]
mod marker;
mod overflow;
mod pool;
mod quarantine;
mod report;
mod reserve;
mod shadow;
mod shelf;
mod size;
mod slab;
mod slot;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use keep::{Keep, Tended};
pub(crate) use overflow::{Overflow, install};
pub(crate) use pool::Pool;
pub(crate) use shadow::refuse_shadow_stack;
pub(crate) use size::SizeClass;
pub(crate) use slab::discard_pages_in;
pub(crate) use slot::{Stack, guard_under};
