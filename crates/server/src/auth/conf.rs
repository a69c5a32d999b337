//! The part of the SASL library's configuration that concerns this server. `SASL_CONF_PATH` names a folder with a file
//! `memcached.conf`, or that file itself; its `mech_list` says which mechanisms may be offered.
//!
//! The library is not used: for PLAIN against a file of passwords its plugins, its databases and its C code are of no
//! use in a server that is to have no memory errors. So all other settings have no effect, and a list without PLAIN is
//! refused.

use std::path::Path;

use super::plain;

/// The name of the file in the folder.
const FILE_NAME: &str = "memcached.conf";

/// Checks the configuration at `path`, if there is one.
///
/// # Errors
/// A sentence, if the configuration cannot be read or does not allow PLAIN.
pub(crate) fn check_mechanisms(path: &Path) -> Result<(), String> {
    let file = if path.is_dir() {
        path.join(FILE_NAME)
    } else {
        path.to_owned()
    };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("cannot read {}: {error}", file.display())),
    };
    let allowed = text.lines().find_map(mechanisms);
    match allowed {
        Some(list) if !allows_plain(list) => Err(format!(
            "{}: mech_list has no PLAIN, which is the only SASL mechanism of corecached: add it",
            file.display()
        )),
        _ => Ok(()),
    }
}

/// The value of `mech_list: ...`, if the line is such a line.
fn mechanisms(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    (name.trim() == "mech_list").then_some(value)
}

fn allows_plain(list: &str) -> bool {
    list.split_ascii_whitespace()
        .any(|name| name.as_bytes().eq_ignore_ascii_case(plain::MECHANISM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_to_have_plain() {
        let folder = std::env::temp_dir().join(format!("sasl-conf-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(FILE_NAME);
        assert_eq!(check_mechanisms(&folder), Ok(()), "no file");
        for (text, good) in [
            ("log_level: 5\n", true),
            ("mech_list: plain cram-md5\n", true),
            ("# mech_list: cram-md5\nmech_list:PLAIN", true),
            ("mech_list: cram-md5 scram-sha-1\n", false),
            ("mech_list:\n", false),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(check_mechanisms(&folder).is_ok(), good, "{text:?}");
            assert_eq!(check_mechanisms(&file).is_ok(), good, "{text:?}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
