//! Authentication: users and passwords from a file (`-Y`, `-S`), and the check of a client against them.
//!
//! ```text
//!   file --passwords.rs--> Users <--admits(user, password)-- conn/password.rs (-Y: a first `set`)
//!     ^                      ^                            '- conn/binary/sasl.rs (-S: SASL PLAIN, plain.rs)
//!     '------ SIGHUP --------'
//! ```
//!
//! The file is read before the server becomes the user of `-u`. A reload that fails keeps the old users. The lock is
//! taken by authentications only, never for a request.

mod conf;
mod passwords;
pub(crate) mod plain;

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use crate::base::config::Authentication;

pub(crate) use conf::check_mechanisms;
use passwords::Users;

/// The users, as the file had them when it was last read.
#[derive(Debug)]
pub(crate) struct Auth {
    path: PathBuf,
    format: Format,
    users: RwLock<Users>,
}

/// The kind of password file; memcached has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `-Y`: at most 8 lines, each of which counts.
    AuthFile,
    /// `MEMCACHED_SASL_PWDB`: any number of lines, of which the first for a user counts. Text behind another colon may
    /// be left out.
    Pwdb,
}

impl Auth {
    /// Reads the file of `authentication`; returns `None` if there is none.
    ///
    /// # Errors
    /// A sentence, if the file cannot be read or is malformed.
    pub(crate) fn open(authentication: &Authentication) -> Result<Option<Auth>, String> {
        let (path, format) = match authentication {
            Authentication::None => return Ok(None),
            Authentication::Text(path) => (path, Format::AuthFile),
            Authentication::Sasl(path) => (path, Format::Pwdb),
        };
        Ok(Some(Auth {
            path: path.clone(),
            format,
            users: RwLock::new(read(path, format)?),
        }))
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// The errors of [`Auth::open`]; the users stay as they were.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let users = read(&self.path, self.format)?;
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = users;
        Ok(())
    }

    /// Whether there is a user of this name with this password.
    pub(crate) fn admits(&self, user: &[u8], password: &[u8]) -> bool {
        self.users
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .admit(user, password)
    }
}

fn read(path: &Path, format: Format) -> Result<Users, String> {
    let name = path.display();
    let text = std::fs::read(path)
        .map_err(|error| format!("cannot read the password file {name}: {error}"))?;
    let users = match format {
        Format::AuthFile => Users::of_auth_file(&text),
        Format::Pwdb => Users::of_pwdb(&text),
    };
    let users = users.map_err(|why| format!("malformed password file {name}: {why}"))?;
    for warning in users.warnings() {
        crate::process::say_warning(format_args!("WARNING: password file {name}: {warning}"));
    }
    Ok(users)
}
