//! Worker processes, and what they may do wrong.

#![cfg(feature = "net")]

mod answers;
