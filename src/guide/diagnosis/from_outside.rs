//! From outside: what other programs see of the fibers of a process, while it runs and afterwards.
