//! Green threads for Rust.

mod collections;
