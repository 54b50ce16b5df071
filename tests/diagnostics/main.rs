//! What a program can find out about itself: dumps, their trees and differences, and reports.

#[path = "../support/mod.rs"]
mod support;

mod difference;
mod json;
mod panics;
mod places;
mod tree;
