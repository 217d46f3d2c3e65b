//! Figures 5 to 8 of RFC 3261, as RFC 4320 and RFC 6026 change them, written down row by row, and held against the machines.
//!
//! Each row is a test: [`check::row`] leads a machine to the row's state, lets its event happen, and compares what is sent, what is told, what
//! can be asked of it and when its next timer is due with the row. Then it lets each further event happen and all timers run, and compares
//! again, so that a state that only looks right, or a timer hidden behind a shorter one, is found out.

mod check;
mod document;
mod invite_client;
mod invite_server;
mod model;
mod non_invite_client;
mod non_invite_server;
mod pair;
mod vocabulary;

use vocabulary::Figure;

/// In the order of their numbers.
static FIGURES: [&Figure; 4] =
    [&invite_client::FIGURE, &non_invite_client::FIGURE, &invite_server::FIGURE, &non_invite_server::FIGURE];
