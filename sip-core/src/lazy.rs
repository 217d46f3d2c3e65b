//! A value that is made when it is first asked for.

#[cfg(feature = "std")]
use std::sync::OnceLock as Cell;

#[cfg(not(feature = "std"))]
use once_cell::race::OnceBox as Cell;

/// A value that is made when it is first asked for, by whichever thread asks; a clone starts without it.
///
/// With `std` it stands where it is needed; without, where there is no way to let another thread wait, it is allocated.
pub(crate) struct Lazy<T>(Cell<T>);

impl<T> Lazy<T> {
    pub(crate) const fn new() -> Self {
        Lazy(Cell::new())
    }

    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        #[cfg(feature = "std")]
        return self.0.get_or_init(make);
        #[cfg(not(feature = "std"))]
        return self.0.get_or_init(|| alloc::boxed::Box::new(make()));
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        Lazy::new()
    }
}
