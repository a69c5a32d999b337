//! `-Y` and `-S`: how clients authenticate, and the options that do not go with them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgMatches;

use super::draft::Draft;
use super::error::CliError;
use crate::auth::check_mechanisms;
use crate::base::config::Authentication;
use crate::base::config::Config;
use crate::base::listeners::{BindingProtocol, Port};

/// Applies the two options, after the options on sockets.
pub(super) fn apply(matches: &ArgMatches, draft: &mut Draft) -> Result<(), CliError> {
    let config = &mut draft.config;
    let file = matches.get_one::<String>("auth-file");
    let (protocol, words) = match (file, matches.get_flag("enable-sasl")) {
        (None, false) => return Ok(()),
        (Some(_), true) => {
            return Err(CliError::usage(
                "ERROR: You cannot use SASL and ascii authentication tokens at once.",
            ));
        }
        (Some(file), false) => {
            config.authentication = Authentication::Text(absolute(file.into())?);
            (BindingProtocol::Ascii, ASCII)
        }
        (None, true) => {
            // The environment names the file, so it is filled in later.
            config.authentication = Authentication::Sasl(PathBuf::new());
            (BindingProtocol::Binary, SASL)
        }
    };
    let asked = matches
        .contains_id("protocol")
        .then_some(config.binding_protocol);
    let listeners = config.listen.iter().filter_map(|address| address.protocol);
    if asked
        .into_iter()
        .chain(listeners)
        .any(|other| other != protocol)
    {
        return Err(CliError::usage(words.protocol));
    }
    config.binding_protocol = protocol;
    if config.udp_port != Port::Off {
        return Err(CliError::usage(words.udp));
    }
    Ok(())
}

/// memcached's words for options that do not go together.
struct Words {
    protocol: &'static str,
    udp: &'static str,
}

const ASCII: Words = Words {
    protocol: "ERROR: You cannot allow the BINARY protocol while using ascii authentication tokens.",
    udp: "Cannot use UDP with ascii authentication enabled (-U 0 to disable)",
};
const SASL: Words = Words {
    protocol: "ERROR: You cannot allow the ASCII protocol while using SASL.",
    udp: "ERROR: Cannot enable UDP while using binary SASL authentication.",
};

/// The environment variables about SASL.
#[derive(Debug, Default)]
pub(super) struct SaslEnvironment {
    /// `MEMCACHED_SASL_PWDB`: the file of passwords.
    pub(super) pwdb: Option<OsString>,
    /// `SASL_CONF_PATH`: the SASL library's configuration, or its folder.
    pub(super) conf_path: Option<OsString>,
}

impl SaslEnvironment {
    /// The variables of this process.
    pub(super) fn of_process() -> SaslEnvironment {
        SaslEnvironment {
            pwdb: std::env::var_os("MEMCACHED_SASL_PWDB"),
            conf_path: std::env::var_os("SASL_CONF_PATH"),
        }
    }

    /// Completes the settings of `-S`; without `-S` nothing changes.
    pub(super) fn complete(self, config: &mut Config) -> Result<(), CliError> {
        let Authentication::Sasl(path) = &mut config.authentication else {
            return Ok(());
        };
        if let Some(conf) = self.conf_path {
            check_mechanisms(&PathBuf::from(conf)).map_err(CliError::usage)?;
        }
        let Some(file) = self.pwdb else {
            return Err(CliError::usage(
                "-S: the environment variable MEMCACHED_SASL_PWDB has to name a file of user:password lines \
                 (the SASL library and its databases are not used)",
            ));
        };
        *path = absolute(file.into())?;
        Ok(())
    }
}

/// Makes a path absolute, because a daemon changes its directory before the file is read again.
fn absolute(path: PathBuf) -> Result<PathBuf, CliError> {
    std::path::absolute(path)
        .map_err(|error| CliError::usage(format!("Invalid password file: {error}")))
}
