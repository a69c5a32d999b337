//! Tests of the protocols through the crate's public interface.

mod admin_requests;
mod binary_replies;
mod binary_requests;
mod client_text;
mod documentation;
mod meta_replies;
mod meta_requests;
mod numbers;
mod text_properties;
mod text_requests;
