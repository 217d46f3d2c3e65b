//! What a REGISTER wants, before anything is looked up.

use blether_sip_core::{ByteStr, Contact, Expires, NameAddr, Params, Request, SipUri, Uri, UserAgent};
use blether_sip_transport::{Flow, Transport};

use crate::location::Binding;

use super::{ONE_HOUR, Refusal, RegistrarConfig};

/// Bytes of a User-Agent that are kept: it is for people to read.
const MAX_NOTE: usize = 128;

/// What a REGISTER wants.
#[derive(Debug)]
pub(super) enum Wanted {
    /// No Contact: the list.
    Query,
    /// `Contact: *` with `Expires: 0`.
    RemoveAll,
    /// Contacts to add, refresh or remove, in this order.
    Steps(Vec<Step>),
}

/// One contact of a REGISTER. Its text does not share memory with the datagram.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) contact: SipUri,
    pub(super) display_name: Option<ByteStr>,
    /// Those of the header, without `expires`.
    pub(super) params: Params,
    pub(super) q: u16,
    pub(super) user_agent: Option<ByteStr>,
    /// Seconds, granted; 0 removes.
    pub(super) expires: u32,
}

impl Wanted {
    /// Reads the headers and grants the intervals (RFC 3261 §10.3 steps 6 and 7).
    pub(super) fn read(request: &Request, flow: Flow, config: &RegistrarConfig) -> Result<Self, Refusal> {
        let headers = request.headers();
        let contacts = headers.all::<Contact>().map_err(|error| Refusal::Header(error.to_string()))?;
        let expires = headers.get::<Expires>().map_err(|error| Refusal::Header(error.to_string()))?;
        if contacts.contains(&Contact::Star) {
            let alone = contacts.len() == 1 && expires == Some(Expires(0));
            return if alone { Ok(Self::RemoveAll) } else { Err(Refusal::Wildcard) };
        }
        if contacts.is_empty() {
            return Ok(Self::Query);
        }
        if request.call_id().len() > config.max_text {
            return Err(Refusal::TooLong { header: "Call-ID", limit: config.max_text });
        }
        let user_agent = headers.get::<UserAgent>().ok().flatten().map(|UserAgent(text)| note(&text));
        // A phone that is heard of less often than idle connections are closed could not be called, since behind a NAT there is no other way to it.
        let longest = match flow.transport {
            Transport::Udp => config.max_expires,
            Transport::Tcp | Transport::Tls => {
                config.max_expires.min(config.max_expires_by_connection.max(config.min_expires))
            }
        };
        let steps = contacts.iter().map(|contact| {
            let wished = contact.expires().or(expires.map(|Expires(seconds)| seconds));
            let expires = grant(wished.unwrap_or(config.default_expires), longest, config)?;
            Step::read(contact, expires, user_agent.clone(), config)
        });
        steps.collect::<Result<_, _>>().map(Self::Steps)
    }
}

impl Step {
    fn read(
        contact: &Contact,
        expires: u32,
        user_agent: Option<ByteStr>,
        config: &RegistrarConfig,
    ) -> Result<Self, Refusal> {
        let mut address = contact.address().ok_or(Refusal::Wildcard)?.clone();
        address.params.remove("expires");
        let text = address.to_string();
        if text.len() > config.max_text {
            return Err(Refusal::TooLong { header: "Contact", limit: config.max_text });
        }
        // Read again from a copy, so that the binding does not keep the datagram.
        let NameAddr { display_name, uri, params } = text.parse().map_err(|_| Refusal::ContactScheme)?;
        let Uri::Sip(contact_uri) = uri else { return Err(Refusal::ContactScheme) };
        Ok(Self { contact: contact_uri, display_name, params, q: contact.q(), user_agent, expires })
    }

    /// Whether this takes the place of a binding: it is the same contact, or, unless this is a removal, of the same device.
    pub(super) fn overrides(&self, old: &Binding) -> bool {
        old.contact.equivalent(&self.contact) || (self.expires > 0 && old.is_of_device(&self.params))
    }
}

/// The interval that is granted for a wish, in seconds (RFC 3261 §10.3 step 7).
fn grant(wished: u32, longest: u32, config: &RegistrarConfig) -> Result<u32, Refusal> {
    if wished > 0 && wished < ONE_HOUR && wished < config.min_expires {
        return Err(Refusal::TooBrief { min_expires: config.min_expires });
    }
    Ok(wished.min(longest))
}

/// The first bytes of a text, cut between two characters.
fn note(text: &str) -> ByteStr {
    let mut end = text.len().min(MAX_NOTE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    ByteStr::from(text.get(..end).unwrap_or_default())
}
