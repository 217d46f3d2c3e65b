//! What runs a leg on a media worker: a leg that plays and records, and one that echoes.

mod audio;
mod echo;
mod handle;
mod outgoing;

pub use audio::{AudioLeg, AudioLegConfig};
pub use echo::EchoLeg;
pub use handle::AudioLegHandle;
