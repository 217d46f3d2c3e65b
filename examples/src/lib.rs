//! Programs that each show one task
