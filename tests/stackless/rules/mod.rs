//! The rules of Stackless, one module per subject. `RULES.md` lists them, with the test of each.

mod attacks;
mod attributes;
mod callback;
mod chaos;
mod creation;
mod deadlock;
mod destruction;
mod ends;
mod listed;
mod model;
mod running;
mod schedule;
mod throwing;
mod timeouts;
mod traces;
mod traps;
