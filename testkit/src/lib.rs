//! A simulated network and clock for tests: loss, duplication, reordering and delay from a seed
