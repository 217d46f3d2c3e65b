//! What a REGISTER wants, before anything is looked up.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use blether_sip_core::{
    ByteStr, Contact, Expires, HeaderName, NameAddr, Params, Path, Request, SipUri, Uri, UserAgent,
};
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

/// One contact of a REGISTER.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) contact: SipUri,
    pub(super) display_name: Option<ByteStr>,
    /// Those of the header, without `expires`.
    pub(super) params: Params,
    pub(super) q: u16,
    /// What the phone calls itself, all of it.
    user_agent: Option<ByteStr>,
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
        let user_agent = headers.get::<UserAgent>().ok().flatten().map(|UserAgent(text)| text);
        // A phone that is heard of less often than idle connections are closed could not be called, since behind a NAT there is no other way to it.
        let longest = match flow.transport {
            Transport::Udp => config.max_expires,
            Transport::Tcp | Transport::Tls => {
                config.max_expires.min(config.max_expires_by_connection.max(config.min_expires))
            }
        };
        // None is longer than the line that it stands in.
        let is_long = headers.raw_all(&HeaderName::Contact).any(|line| line.len() > config.max_text);
        let steps = contacts.iter().map(|contact| {
            let wished = contact.expires().or(expires.map(|Expires(seconds)| seconds));
            let expires = grant(wished.unwrap_or(config.default_expires), longest, config)?;
            Step::read(contact, expires, user_agent.clone(), is_long, config)
        });
        steps.collect::<Result<_, _>>().map(Self::Steps)
    }
}

/// The proxies that the request came through, the last of them first: the way to its contacts (RFC 3327 §5.3). Their text does not share memory with the
/// datagram.
pub(super) fn path(request: &Request, config: &RegistrarConfig) -> Result<Vec<SipUri>, Refusal> {
    if !request.headers().has(&HeaderName::Path) {
        return Ok(Vec::new());
    }
    let all = request.headers().all::<Path>().map_err(|error| Refusal::Header(error.to_string()))?;
    let read = |Path(address): Path| {
        let text = address.uri.to_string();
        match text.parse::<SipUri>() {
            Ok(_) if text.len() > config.max_text => Err(Refusal::TooLong { header: "Path", limit: config.max_text }),
            Ok(uri) if uri.is_loose_router() => Ok(uri),
            // What cannot be routed by is not kept, and so not promised either.
            _ => Err(Refusal::Header("Malformed Path".to_owned())),
        }
    };
    if all.len() > config.max_path {
        return Err(Refusal::TooLong { header: "Path", limit: config.max_path * config.max_text });
    }
    all.into_iter().map(read).collect()
}

impl Step {
    fn read(
        contact: &Contact,
        expires: u32,
        user_agent: Option<ByteStr>,
        is_long: bool,
        config: &RegistrarConfig,
    ) -> Result<Self, Refusal> {
        let mut address = contact.address().ok_or(Refusal::Wildcard)?.clone();
        address.params.remove("expires");
        if is_long && address.to_string().len() > config.max_text {
            return Err(Refusal::TooLong { header: "Contact", limit: config.max_text });
        }
        let NameAddr { display_name, uri: Uri::Sip(contact_uri), params } = address else {
            return Err(Refusal::ContactScheme);
        };
        Ok(Self { contact: contact_uri, display_name, params, q: contact.q(), user_agent, expires })
    }

    /// The binding that this makes, whose text does not share memory with the datagram: with that of `old`, where it is the same, as when a phone
    /// refreshes what it has registered.
    pub(super) fn binding(
        &self,
        old: Option<&Binding>,
        request: &Request,
        flow: Flow,
        path: &[SipUri],
        now: Instant,
    ) -> Binding {
        let touched = |binding: Binding| Binding {
            flow,
            path: path.to_vec(),
            call_id: match old {
                Some(old) if old.call_id == *request.call_id() => old.call_id.clone(),
                _ => request.call_id().detached(),
            },
            cseq: request.cseq().number,
            copies: copies_of(request),
            q: self.q,
            expires_at: now + Duration::from_secs(u64::from(self.expires)),
            ..binding
        };
        let agent = self.user_agent.as_deref().map(note);
        let is_as_before = |old: &&Binding| {
            (&old.contact, &old.display_name, &old.params) == (&self.contact, &self.display_name, &self.params)
                && old.user_agent.as_deref() == agent
        };
        if let Some(same) = old.filter(is_as_before) {
            return touched(same.clone());
        }
        let NameAddr { display_name, uri, params } = self.copied();
        let contact = match uri {
            Uri::Sip(uri) => uri,
            _ => self.contact.clone(),
        };
        touched(Binding {
            contact,
            display_name,
            params,
            flow,
            path: Vec::new(),
            call_id: ByteStr::default(),
            cseq: 0,
            copies: 0,
            q: 0,
            user_agent: agent.map(ByteStr::from),
            registered_at: old.map_or(now, |old| old.registered_at),
            expires_at: now,
        })
    }

    /// The address, read from a text of its own.
    fn copied(&self) -> NameAddr {
        let address = NameAddr {
            display_name: self.display_name.clone(),
            uri: Uri::Sip(self.contact.clone()),
            params: self.params.clone(),
        };
        address.to_string().parse().unwrap_or(address)
    }

    /// Whether this takes the place of a binding: it is the same contact, or, unless this is a removal, of the same device.
    pub(super) fn overrides(&self, old: &Binding) -> bool {
        old.contact.equivalent(&self.contact) || (self.expires > 0 && old.is_of_device(&self.params))
    }
}

/// What a request has in common with its copies that are sent again, and with no other (RFC 3261 §17.2.3): a hash, and not 0.
pub(super) fn copies_of(request: &Request) -> u64 {
    let via = request.via();
    let mut hasher = DefaultHasher::new();
    (via.branch(), &via.host, via.port).hash(&mut hasher);
    hasher.finish().max(1)
}

/// The interval that is granted for a wish, in seconds (RFC 3261 §10.3 step 7).
fn grant(wished: u32, longest: u32, config: &RegistrarConfig) -> Result<u32, Refusal> {
    if wished > 0 && wished < ONE_HOUR && wished < config.min_expires {
        return Err(Refusal::TooBrief { min_expires: config.min_expires });
    }
    Ok(wished.min(longest))
}

/// The first bytes of a text, cut between two characters.
fn note(text: &str) -> &str {
    let mut end = text.len().min(MAX_NOTE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
