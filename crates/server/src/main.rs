//! The program corecached; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    corecached::main()
}
