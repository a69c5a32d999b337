//! Command lines that could not protect anything.

use super::*;

#[test]
fn a_server_that_could_not_protect_does_not_start() {
    let malformed = Passwords::new("malformed", "ann:secret\nbob\n");
    let good = Passwords::new("good", "ann:secret\n");
    let file = malformed.path();
    for (options, pwdb, message) in [
        (&["-Y", file][..], None, "line 2 is not user:password"),
        (
            &["-Y", "/nowhere/passwords"],
            None,
            "cannot read the password file",
        ),
        (&["-S"], None, "MEMCACHED_SASL_PWDB"),
        (&["-S"], Some(file), "line 2 is not user:password"),
        (
            &["-S"],
            Some("/nowhere/passwords"),
            "cannot read the password file",
        ),
        (&["-Y", good.path(), "-B", "auto"], None, "BINARY"),
        (&["-S", "-B", "ascii"], Some(good.path()), "ASCII"),
        (&["-Y", good.path(), "-U", "11211"], None, "UDP"),
        (&["-S", "-U", "11211"], Some(good.path()), "UDP"),
    ] {
        let mut command = command();
        command
            .args(["-p", &free_port().to_string()])
            .args(options)
            .env_remove("MEMCACHED_SASL_PWDB");
        if let Some(pwdb) = pwdb {
            command.env("MEMCACHED_SASL_PWDB", pwdb);
        }
        let output = command
            .stdin(Stdio::null())
            .output()
            .expect("it can be executed");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{options:?}");
        assert!(stderr.contains(message), "{options:?}: {stderr}");
    }
}
