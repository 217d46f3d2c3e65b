//! Who is asked where a host is that is named (RFC 3263).

use blether_transaction_core::Locator;

use super::EngineError;
use crate::config::Config;

/// Asks the name servers of the configuration, else those of the machine. Where the machine names none, only addresses lead anywhere: that keeps a server
/// from starting if it forwards to a name, and else is told in the log.
///
/// # Errors
///
/// [`EngineError::Names`].
#[cfg(feature = "dns")]
pub(super) fn locator(config: &Config) -> Result<Locator, EngineError> {
    use blether_sip_transport::resolve::{Resolver, ResolverConfig};

    let name_servers = config.dns.servers.clone();
    let needed = !name_servers.is_empty() || config.proxies.iter().any(crate::config::ProxyConfig::has_names);
    match Resolver::new(ResolverConfig { name_servers, ..ResolverConfig::default() }) {
        Ok(resolver) => Ok(Locator::new(resolver)),
        Err(error) if needed => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "hosts that are named cannot be found; set `dns.servers`");
            Ok(Locator::default())
        }
    }
}

/// Asks nobody: only addresses lead anywhere.
#[cfg(not(feature = "dns"))]
pub(super) fn locator(_: &Config) -> Result<Locator, EngineError> {
    Ok(Locator::default())
}
