//! Reports: the data, and its forms.

pub mod build;
pub mod chart;
pub mod csv;
pub mod format;
pub mod hdr_log;
pub mod html;
pub mod model;
pub mod text;
