//! Green threads for Rust.

mod collections;
mod stack;
