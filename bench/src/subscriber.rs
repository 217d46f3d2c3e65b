//! An account's phone, as far as a load generator needs one: it makes requests and answers challenges.

use anyhow::Context;
use blether_session_core::{ClientAuthenticator, ClientCredentials};
use blether_sip_core::{CSeq, Contact, Expires, Host, Method, NameAddr, Request, RequestBuilder, Response, SipUri};

use crate::load::Wire;
use crate::server::PASSWORD;

pub(crate) struct Subscriber {
    user: u32,
    authenticator: ClientAuthenticator,
    requests: u32,
}

impl Subscriber {
    pub(crate) fn new(user: u32) -> Self {
        Self { user, authenticator: Self::authenticator(user), requests: 0 }
    }

    fn authenticator(user: u32) -> ClientAuthenticator {
        ClientAuthenticator::new(ClientCredentials::with_password(&user.to_string(), PASSWORD), rand::make_rng())
    }

    /// Forgets the server's nonce: it will have to ask again.
    pub(crate) fn forget(&mut self) {
        self.authenticator = Self::authenticator(self.user);
    }

    /// The address of a user at the server.
    pub(crate) fn address(user: u32, wire: &Wire) -> SipUri {
        SipUri::new(Some(&user.to_string()), Host::from(wire.server.ip()), Some(wire.server.port()))
    }

    /// Where this phone is reached.
    pub(crate) fn contact(&self, wire: &Wire) -> Contact {
        let host = Host::from(wire.local.ip());
        Contact::Address(NameAddr::new(SipUri::new(Some(&self.user.to_string()), host, Some(wire.local.port()))))
    }

    /// A REGISTER of ten minutes, with credentials if the server's nonce is known.
    pub(crate) fn register(&mut self, wire: &Wire) -> anyhow::Result<Request> {
        let registrar = SipUri::new(None, Host::from(wire.server.ip()), Some(wire.server.port()));
        let to = NameAddr::new(Self::address(self.user, wire));
        let call_id = format!("register-{}@bench", self.user);
        let register = self.begin(Method::Register, registrar, to, &call_id, wire).header(self.contact(wire));
        self.prepared(register.header(Expires(600)))
    }

    /// Begins a request outside of a dialog.
    pub(crate) fn begin(
        &mut self,
        method: Method,
        uri: SipUri,
        to: NameAddr,
        call_id: &str,
        wire: &Wire,
    ) -> RequestBuilder {
        self.requests += 1;
        let from = NameAddr::new(Self::address(self.user, wire)).with_tag(&format!("from-{}", self.requests));
        Request::builder(method, uri).from(from).to(to).call_id(call_id).cseq(self.requests)
    }

    pub(crate) fn prepared(&mut self, request: RequestBuilder) -> anyhow::Result<Request> {
        let mut request = request.build()?;
        self.authenticator.prepare(&mut request);
        Ok(request)
    }

    /// The same request again, with the answer to a challenge.
    pub(crate) fn authorized(&mut self, request: &Request, challenge: &Response) -> anyhow::Result<Request> {
        let mut request = request.clone();
        self.authenticator.authorize(&mut request, challenge).context("the server's challenge")?;
        self.requests += 1;
        request.set_cseq(CSeq { number: self.requests, method: request.method().clone() });
        Ok(request)
    }
}
