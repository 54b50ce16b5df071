//! For those who know Python's greenlet: its names, and the same program in both.
