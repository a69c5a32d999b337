//! The certificates in use. They can be changed while connections are open; open connections keep theirs.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::error::LoadError;
use crate::policy::{ClientAuth, Policies};
use crate::session::Session;
use crate::settings::Settings;

/// The policies that new connections begin with. The lock is taken when a connection begins, never for a request.
#[derive(Debug)]
pub struct Certificates {
    settings: Settings,
    current: RwLock<Arc<Policies>>,
    /// Held while files are read, so that the last of several reloads takes effect.
    reload: Mutex<()>,
}

impl Certificates {
    /// Reads all files.
    ///
    /// # Errors
    /// If a file cannot be used; the text says which and why.
    pub fn load(settings: Settings) -> Result<Certificates, LoadError> {
        let policies = Policies::load(&settings)?;
        Ok(Certificates {
            settings,
            current: RwLock::new(Arc::new(policies)),
            reload: Mutex::new(()),
        })
    }

    /// Reads the files again. New connections use the new contents; after an error they go on using the earlier ones.
    ///
    /// # Errors
    /// If a file cannot be used; the text says which and why.
    pub fn reload(&self) -> Result<(), LoadError> {
        let _one_at_a_time = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        let policies = Arc::new(Policies::load(&self.settings)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = policies;
        Ok(())
    }

    /// The policies that new connections begin with at this moment.
    pub fn current(&self) -> Arc<Policies> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A session for a connection that has just been accepted. `None` if its listener needs certificates of clients and
    /// there is no `ssl_ca_cert` to check them against; the server refuses to start with such a listener.
    pub fn begin(&self, auth: ClientAuth) -> Option<Session> {
        Session::new(self.current().of(auth)?)
    }
}
