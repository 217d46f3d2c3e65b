use bytes::Bytes;

use crate::header::{ContentLength, ContentType, From, To};
use crate::headers::{one_line, written};
use crate::{
    ByteStr, CSeq, CallId, HeaderError, HeaderName, Headers, Host, MaxForwards, NameAddr, Params, TypedHeader, Via,
};

/// The headers and the body of a message, and the mandatory headers as values that were checked.
#[derive(Clone)]
pub(crate) struct Core {
    headers: Headers,
    body: Bytes,
    /// The topmost Via; `None` if the message has none.
    via: Option<Via>,
    from: NameAddr,
    to: NameAddr,
    call_id: ByteStr,
    cseq: CSeq,
    /// The bytes that were received, until something is changed.
    untouched: Option<Bytes>,
}

/// A mandatory header that is not there or not right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MandatoryError {
    Missing(HeaderName),
    Invalid(HeaderError),
}

impl std::convert::From<HeaderError> for MandatoryError {
    fn from(error: HeaderError) -> Self {
        MandatoryError::Invalid(error)
    }
}

/// What `via()` gives for a message that has none. Its name is one that nothing answers to (RFC 2606 §2).
static NO_VIA: Via = Via {
    transport: ByteStr::from_static("UDP"),
    host: Host::Name(ByteStr::from_static("unsent.invalid")),
    port: None,
    params: Params::new(),
};

/// Headers that every message has and which the message keeps in step with its own values.
pub(crate) fn is_mandatory(name: &HeaderName) -> bool {
    matches!(name.canonical(), HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::CSeq)
}

impl Core {
    /// Checks the mandatory headers, and that those which may stand once do.
    pub(crate) fn new(headers: Headers, body: Bytes, untouched: Option<Bytes>) -> Result<Core, MandatoryError> {
        fn mandatory<H: TypedHeader>(headers: &Headers) -> Result<H, MandatoryError> {
            headers.get::<H>()?.ok_or(MandatoryError::Missing(H::NAME))
        }
        let via = top_via(&headers)?;
        headers.check_length(&HeaderName::Via)?;
        let CallId(call_id) = mandatory(&headers)?;
        let cseq = mandatory(&headers)?;
        let From(from) = mandatory(&headers)?;
        let To(to) = mandatory(&headers)?;
        headers.get::<MaxForwards>()?;
        let mut core = Core { headers, body, via, from, to, call_id, cseq, untouched };
        if core.untouched.is_none() {
            core.write_content_length();
        }
        Ok(core)
    }

    /// What a response has in common with this request: the mandatory headers and the rows to keep, and no body.
    pub(crate) fn for_response(&self, more: Headers, keep: impl Fn(&HeaderName) -> bool) -> Core {
        let mut headers = self.headers.only(keep);
        headers.append(more);
        let Core { via, from, to, call_id, cseq, .. } = self;
        let (via, from, to) = (via.clone(), from.clone(), to.clone());
        let (call_id, cseq) = (call_id.clone(), cseq.clone());
        let mut core = Core { headers, body: Bytes::new(), via, from, to, call_id, cseq, untouched: None };
        core.write_content_length();
        core
    }

    pub(crate) fn headers(&self) -> &Headers {
        &self.headers
    }

    pub(crate) fn via(&self) -> &Via {
        self.via.as_ref().unwrap_or(&NO_VIA)
    }

    pub(crate) fn has_via(&self) -> bool {
        self.via.is_some()
    }

    pub(crate) fn from(&self) -> &NameAddr {
        &self.from
    }

    pub(crate) fn to(&self) -> &NameAddr {
        &self.to
    }

    pub(crate) fn call_id(&self) -> &ByteStr {
        &self.call_id
    }

    pub(crate) fn cseq(&self) -> &CSeq {
        &self.cseq
    }

    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn untouched(&self) -> Option<&Bytes> {
        self.untouched.as_ref()
    }

    /// The headers to be changed; from here on the message is written anew, with a Content-Length.
    pub(crate) fn edit(&mut self) -> &mut Headers {
        self.touch();
        &mut self.headers
    }

    pub(crate) fn touch(&mut self) {
        if self.untouched.take().is_some() && !self.headers.has(&HeaderName::ContentLength) {
            self.write_content_length();
        }
    }

    fn write_content_length(&mut self) {
        // One that is right stays as it was written.
        if !matches!(self.headers.get::<ContentLength>(), Ok(Some(ContentLength(length))) if length == self.body.len())
        {
            self.headers.set(ContentLength(self.body.len()));
        }
    }

    pub(crate) fn set_body(&mut self, content_type: &str, body: Bytes) {
        self.touch();
        self.body = body;
        if self.body.is_empty() && content_type.is_empty() {
            self.headers.remove(&HeaderName::ContentType);
        } else {
            let content_type = match content_type.parse::<ContentType>() {
                Ok(_) => one_line(content_type.to_owned()),
                Err(_) => ByteStr::from_static("application/octet-stream"),
            };
            self.headers.set_text(HeaderName::ContentType, content_type);
        }
        self.write_content_length();
    }

    pub(crate) fn push_via(&mut self, via: &Via) {
        self.edit().push_front(via.clone());
        self.refresh_via();
    }

    pub(crate) fn set_top_via(&mut self, via: &Via) {
        self.edit().replace_first_item(&HeaderName::Via, Some(&written(via)));
        self.refresh_via();
    }

    pub(crate) fn pop_via(&mut self) -> Option<Via> {
        let top = self.via.take()?;
        self.edit().replace_first_item(&HeaderName::Via, None);
        self.refresh_via();
        Some(top)
    }

    /// Reads the topmost Via again; one below the top that is malformed reads as none.
    pub(crate) fn refresh_via(&mut self) {
        self.via = top_via(&self.headers).ok().flatten();
    }

    pub(crate) fn set_cseq(&mut self, cseq: CSeq) {
        self.edit().set(cseq);
        self.refresh_mandatory();
    }

    /// Adds a tag to a To that has none; what follows in it stays as it was written.
    pub(crate) fn set_to_tag(&mut self, tag: &str) {
        let mut token = String::new();
        crate::grammar::write_token(&mut token, tag, "");
        if self.to.tag().is_some() || token.is_empty() {
            return;
        }
        let value = match self.to.params.has("tag") {
            // A `tag` without a value, which would hide another behind it.
            true => self.to.clone().with_tag(&token).to_string(),
            false => format!("{};tag={token}", self.headers.raw(&HeaderName::To).unwrap_or_default()),
        };
        self.edit().set_text(HeaderName::To, value.into());
        self.refresh_mandatory();
    }

    /// Reads From, To, Call-ID and CSeq again; each stays as it was if it is not right any more.
    fn refresh_mandatory(&mut self) {
        if let Ok(Some(From(from))) = self.headers.get() {
            self.from = from;
        }
        if let Ok(Some(To(to))) = self.headers.get() {
            self.to = to;
        }
        if let Ok(Some(CallId(call_id))) = self.headers.get() {
            self.call_id = call_id;
        }
        if let Ok(Some(cseq)) = self.headers.get() {
            self.cseq = cseq;
        }
    }

    /// Sets one of From, To, Call-ID and CSeq as text, if it reads as one; says whether it does.
    pub(crate) fn set_mandatory(&mut self, name: &HeaderName, value: ByteStr) -> bool {
        let valid = match name {
            HeaderName::From => From::parse_value(value.clone()).is_ok(),
            HeaderName::To => To::parse_value(value.clone()).is_ok(),
            HeaderName::CallId => CallId::parse_value(value.clone()).is_ok(),
            // The method stays that of the request.
            HeaderName::CSeq => CSeq::parse_value(value.clone()).is_ok_and(|cseq| cseq.method == self.cseq.method),
            _ => false,
        };
        if valid {
            self.edit().set_text(name.clone(), value);
            self.refresh_mandatory();
        }
        valid
    }

    /// Writes the message after its start line.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.headers.write(out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

fn top_via(headers: &Headers) -> Result<Option<Via>, HeaderError> {
    headers.first_item(&HeaderName::Via).map(Via::parse_value).transpose()
}
