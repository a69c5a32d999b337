//! Tests of `-Y`, `-S`, and the environment variables that belong to them.

use super::*;
use crate::base::config::Authentication;

const NO_BINARY: &str =
    "ERROR: You cannot allow the BINARY protocol while using ascii authentication tokens.";
const NO_ASCII: &str = "ERROR: You cannot allow the ASCII protocol while using SASL.";

#[test]
fn an_auth_file_makes_a_text_server() {
    for args in [
        &["-Y", "/etc/passwords"][..],
        &["--auth-file=/etc/passwords"],
        &["-Y", "/etc/passwords", "-B", "ascii"],
    ] {
        check(args, |config| {
            config.authentication = Authentication::Text("/etc/passwords".into());
            config.binding_protocol = BindingProtocol::Ascii;
        });
    }
    for args in [
        &["-Y", "f", "-B", "binary"][..],
        &["-Y", "f", "-B", "auto"],
        &["-Y", "f", "-l", "proto[binary]:127.0.0.1"],
        &["-Y", "f", "-l", "127.0.0.1,proto[negotiating]:127.0.0.2"],
    ] {
        refused(args, EXIT_USAGE, NO_BINARY);
    }
    config(&["-Y", "f", "-l", "proto[ascii]:127.0.0.1"]);
}

#[test]
fn sasl_makes_a_binary_server() {
    for args in [&["-S"][..], &["--enable-sasl"], &["-S", "-B", "binary"]] {
        check(args, |config| {
            config.authentication = Authentication::Sasl("".into());
            config.binding_protocol = BindingProtocol::Binary;
        });
    }
    for args in [
        &["-S", "-B", "ascii"][..],
        &["-S", "-B", "auto"],
        &["-S", "-l", "proto[ascii]:127.0.0.1"],
    ] {
        refused(args, EXIT_USAGE, NO_ASCII);
    }
    refused(
        &["-S", "-Y", "f"],
        EXIT_USAGE,
        "ERROR: You cannot use SASL and ascii authentication tokens at once.",
    );
}

#[test]
fn sasl_needs_a_password_file() {
    let environment = |pwdb: Option<&str>| SaslEnvironment {
        pwdb: pwdb.map(Into::into),
        conf_path: None,
    };
    let mut with = config(&["-S"]);
    let error = environment(None).complete(&mut with).expect_err("no file");
    assert!(error.message.contains("MEMCACHED_SASL_PWDB"), "{error}");
    environment(Some("/etc/pwdb")).complete(&mut with).unwrap();
    assert_eq!(
        with.authentication,
        Authentication::Sasl("/etc/pwdb".into())
    );
    let mut without = config(&[]);
    environment(Some("/etc/pwdb"))
        .complete(&mut without)
        .unwrap();
    assert_eq!(without, Config::default());
}

#[test]
fn neither_goes_with_udp() {
    refused(
        &["-Y", "f", "-U", "11211"],
        EXIT_USAGE,
        "Cannot use UDP with ascii authentication enabled (-U 0 to disable)",
    );
    refused(
        &["-S", "-U", "-1"],
        EXIT_USAGE,
        "ERROR: Cannot enable UDP while using binary SASL authentication.",
    );
    config(&["-Y", "f", "-U", "0"]);
}
