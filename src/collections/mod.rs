//! Plain data structures: no fiber, no clock, no file descriptor in here.
