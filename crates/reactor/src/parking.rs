//! The eventfd by which a ring wakes a reactor that sleeps in glommio (park.rs).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};

use glommio::io::BufferedFile;

use crate::descriptor;
use crate::driver::Driver;
use crate::patience;

/// The eventfd of a parked reactor.
#[derive(Default)]
pub(crate) struct Parking {
    /// Made on first use: glommio's files belong to an executor.
    eventfd: Option<BufferedFile>,
    is_registered: bool,
    /// A read is with glommio.
    is_asleep: bool,
}

impl Parking {
    /// Registers the eventfd with the ring.
    pub(crate) fn enter(&mut self, driver: &Driver) -> io::Result<()> {
        let Driver::Ring(ring) = driver else {
            return Ok(());
        };
        let eventfd = match &self.eventfd {
            Some(eventfd) => eventfd,
            None => {
                let fd = descriptor::eventfd()?.into_raw_fd();
                // SAFETY: the descriptor is new and handed over.
                let file = unsafe { BufferedFile::from_raw_fd(fd) };
                self.eventfd.insert(file)
            }
        };
        ring.register_eventfd(eventfd.as_raw_fd())?;
        self.is_registered = true;
        Ok(())
    }

    /// Ends a park. Also undoes a park whose future was dropped: its read may still be with glommio and would take the
    /// signal of the next park, so the next park gets a new eventfd.
    pub(crate) fn leave(&mut self, driver: &Driver) -> io::Result<()> {
        if std::mem::take(&mut self.is_registered)
            && let Driver::Ring(ring) = driver
        {
            patience::insist(|| ring.unregister_eventfd())?;
        }
        if std::mem::take(&mut self.is_asleep) {
            self.eventfd = None;
        }
        Ok(())
    }

    /// Waits until the kernel has signalled the eventfd.
    pub(crate) async fn sleep(&mut self) -> io::Result<()> {
        let eventfd = self.eventfd.as_ref().expect("made by enter");
        self.is_asleep = true;
        eventfd.read_at(0, size_of::<u64>()).await?;
        self.is_asleep = false;
        Ok(())
    }
}
