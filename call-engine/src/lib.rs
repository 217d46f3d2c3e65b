//! A SIP server: registrar and B2BUA with relayed media, and the library it is made of

pub mod account;
pub mod config;
pub mod first_run;
pub mod ladder;
pub mod location;
pub mod pattern;
