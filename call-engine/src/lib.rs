//! A SIP server: registrar and B2BUA with relayed media, and the library it is made of

pub mod config;
pub mod first_run;
pub mod pattern;
