//! Features that memcached has and this program does not have. Their options are refused.

use super::error::CliError;

/// Sub-options of `-o` by the beginning of their names, and the feature that they belong to.
const FAMILIES: [(&str, &str); 1] = [("proxy_", "the proxy")];

/// The refusal of an option.
pub(super) fn refuse(option: &str, feature: &str) -> CliError {
    CliError::usage(format!(
        "{option}: {feature} is not supported by this version of corecached"
    ))
}

/// The feature that a sub-option belongs to, if it is one of these.
pub(super) fn family(suboption: &str) -> Option<&'static str> {
    let known = FAMILIES
        .iter()
        .find(|(prefix, _)| suboption.starts_with(prefix));
    known.map(|&(_, feature)| feature)
}
