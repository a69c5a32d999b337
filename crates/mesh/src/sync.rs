//! The primitives that loom replaces when it checks the model. Everything else in this crate imports them from here.
//!
//! The two cells have one interface: `get` and `get_mut` give a token that stands for an access. In a normal build
//! the token is a raw pointer; under loom it also reports any other access that is not ordered before or after it.

#[cfg(loom)]
pub(crate) use loom::{
    cell::{MutPtr, UnsafeCell},
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
};

#[cfg(not(loom))]
pub(crate) use self::plain::{MutPtr, UnsafeCell};
#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
};

#[cfg(not(loom))]
mod plain {
    /// `std::cell::UnsafeCell` with loom's interface.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }
    }

    impl<T: ?Sized> UnsafeCell<T> {
        /// A token for a write (or read) access; making one has no effect, only using it has.
        pub(crate) fn get_mut(&self) -> MutPtr<T> {
            MutPtr(self.0.get())
        }

        /// Calls `access` with the address, for one access that ends when it returns.
        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }
    }

    /// The address of a cell's value. A raw pointer, so neither `Send` nor `Sync`: an access ends on its thread.
    #[derive(Debug)]
    pub(crate) struct MutPtr<T: ?Sized>(*mut T);

    impl<T: ?Sized> MutPtr<T> {
        /// The address; dereferencing it is the caller's to justify.
        pub(crate) fn with<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0)
        }
    }
}

/// One wait of a spinning thread between two looks. In the first rounds it pauses, later it lets other threads run:
/// with more shards than CPUs, the thread that is waited for may be off its CPU.
pub(crate) fn relax(round: u32) {
    crate::step::wait();
    const PAUSES: u32 = 128;
    #[cfg(loom)]
    {
        let _ = (round, PAUSES);
        loom::thread::yield_now();
    }
    #[cfg(not(loom))]
    if round < PAUSES {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}
