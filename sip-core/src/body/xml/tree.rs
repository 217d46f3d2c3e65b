//! A document as a tree of those elements whose namespace is known.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str::FromStr;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use super::{Fault, XmlError, XmlErrorKind, XmlLimits};

/// The namespaces that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ns {
    /// No namespace: that of most attributes.
    None,
    Xml,
    Conference,
    CopyControl,
    DataModel,
    DialogInfo,
    Gruu,
    Pidf,
    Reginfo,
    ResourceLists,
    Rpid,
    Other,
}

impl Ns {
    /// Its name, for those that are written.
    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Ns::None | Ns::Other => "",
            Ns::Xml => "http://www.w3.org/XML/1998/namespace",
            Ns::Conference => "urn:ietf:params:xml:ns:conference-info",
            Ns::CopyControl => "urn:ietf:params:xml:ns:copycontrol",
            Ns::DataModel => "urn:ietf:params:xml:ns:pidf:data-model",
            Ns::DialogInfo => "urn:ietf:params:xml:ns:dialog-info",
            Ns::Gruu => "urn:ietf:params:xml:ns:gruuinfo",
            Ns::Pidf => "urn:ietf:params:xml:ns:pidf",
            Ns::Reginfo => "urn:ietf:params:xml:ns:reginfo",
            Ns::ResourceLists => "urn:ietf:params:xml:ns:resource-lists",
            Ns::Rpid => "urn:ietf:params:xml:ns:pidf:rpid",
        }
    }

    fn of(resolved: &ResolveResult<'_>) -> Ns {
        const KNOWN: [Ns; 10] = [
            Ns::Xml,
            Ns::Conference,
            Ns::CopyControl,
            Ns::DataModel,
            Ns::DialogInfo,
            Ns::Gruu,
            Ns::Pidf,
            Ns::Reginfo,
            Ns::ResourceLists,
            Ns::Rpid,
        ];
        match resolved {
            ResolveResult::Unbound => Ns::None,
            ResolveResult::Bound(uri) => {
                KNOWN.into_iter().find(|known| uri.into_inner() == known.uri()).unwrap_or(Ns::Other)
            }
            ResolveResult::Unknown(_) => Ns::Other,
        }
    }
}

/// An element with what is in it.
#[derive(Debug)]
pub(crate) struct Element {
    ns: Ns,
    name: String,
    attributes: Vec<(Ns, String, String)>,
    children: Vec<Element>,
    /// The text that stands directly in it.
    text: String,
    /// Where it starts, in bytes.
    at: usize,
}

impl Element {
    pub(crate) fn is(&self, ns: Ns, name: &str) -> bool {
        self.ns == ns && self.name == name
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn fault(&self, kind: XmlErrorKind) -> Fault {
        Fault { kind, at: self.at }
    }

    pub(crate) fn missing(&self, what: &'static str) -> Fault {
        self.fault(XmlErrorKind::Missing(what))
    }

    pub(crate) fn bad(&self, what: &'static str, expected: &'static str) -> Fault {
        self.fault(XmlErrorKind::Value { what, expected })
    }

    /// An attribute without a namespace, without white space around it.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_in(Ns::None, name)
    }

    pub(crate) fn attribute_in(&self, ns: Ns, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(found, found_name, _)| *found == ns && found_name == name);
        found.map(|(_, _, value)| value.trim_matches(is_space))
    }

    /// [`Element::attribute`] as a text of its own.
    pub(crate) fn string(&self, name: &str) -> Option<String> {
        self.attribute(name).map(String::from)
    }

    /// An attribute that must be there.
    pub(crate) fn required(&self, name: &'static str) -> Result<String, Fault> {
        self.string(name).ok_or_else(|| self.missing(name))
    }

    /// An attribute that is a number.
    pub(crate) fn number<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Fault> {
        let value = self.attribute(name);
        value.map(|value| value.parse().map_err(|_| self.bad(name, "a number that is not too large"))).transpose()
    }

    /// The elements in it that are of this namespace, in order.
    pub(crate) fn all_in(&self, ns: Ns) -> impl Iterator<Item = &Element> {
        self.children.iter().filter(move |child| child.ns == ns)
    }

    /// The elements in it of this name, in order.
    pub(crate) fn all<'a>(&'a self, ns: Ns, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.is(ns, name))
    }

    /// The first element in it of this name.
    pub(crate) fn child(&self, ns: Ns, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.is(ns, name))
    }

    /// The text of the first element in it of this name.
    pub(crate) fn text_of(&self, ns: Ns, name: &str) -> Option<String> {
        self.child(ns, name).map(|child| child.text().into())
    }

    /// The number that the first element in it of this name is.
    pub(crate) fn number_of<T: FromStr>(&self, ns: Ns, name: &'static str) -> Result<Option<T>, Fault> {
        let Some(child) = self.child(ns, name) else { return Ok(None) };
        child.text().parse().map(Some).map_err(|_| child.bad(name, "a number that is not too large"))
    }

    /// Its text, without white space around it.
    pub(crate) fn text(&self) -> &str {
        self.text.trim_matches(is_space)
    }

    /// Its text as it is.
    pub(crate) fn whole_text(&self) -> &str {
        &self.text
    }
}

/// `S` of XML.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// `Char` of XML 1.0.
pub(super) fn is_allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// The bytes as text, if there are not too many, without the mark that some put in front of it.
pub(super) fn text<'a>(bytes: &'a [u8], limits: &XmlLimits) -> Result<&'a str, XmlError> {
    if bytes.len() > limits.max_size {
        let kind = XmlErrorKind::TooLarge { len: bytes.len(), limit: limits.max_size };
        return Err(XmlError::at(kind, &[], 0));
    }
    let text =
        core::str::from_utf8(bytes).map_err(|error| XmlError::at(XmlErrorKind::NotUtf8, bytes, error.valid_up_to()))?;
    match text.char_indices().find(|(_, c)| !is_allowed(*c)) {
        Some((at, c)) => Err(XmlError::at(XmlErrorKind::Character(u32::from(c)), bytes, at)),
        None => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
    }
}

/// Reads the tree. Elements that are not known are read to see that they are well-formed, and not kept.
pub(super) fn parse(text: &str, limits: &XmlLimits) -> Result<Element, Fault> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    reader.resolver_mut().set_max_namespace_bindings(limits.max_attributes);
    let (mut open, mut root, mut count): (Vec<Element>, Option<Element>, usize) = (Vec::new(), None, 0);
    loop {
        let at = offset(reader.buffer_position());
        let fault = |kind| Fault { kind, at };
        let malformed = |what: &str| fault(XmlErrorKind::Malformed(what.into()));
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                return Err(Fault {
                    kind: XmlErrorKind::Malformed(error.to_string()),
                    at: offset(reader.error_position()).max(at),
                });
            }
        };
        match event {
            Event::Start(start) => {
                count += 1;
                if count > limits.max_elements {
                    return Err(fault(XmlErrorKind::TooManyElements { limit: limits.max_elements }));
                }
                if open.len() >= limits.max_depth {
                    return Err(fault(XmlErrorKind::TooDeep { limit: limits.max_depth }));
                }
                if open.is_empty() && root.is_some() {
                    return Err(malformed("a second root element"));
                }
                open.push(element(&reader, &start, at, limits)?);
            }
            Event::End(_) => {
                let Some(done) = open.pop() else { return Err(malformed("an end tag without its start")) };
                match open.last_mut() {
                    Some(parent) if done.ns != Ns::Other => parent.children.push(done),
                    Some(_) => {}
                    None => root = Some(done),
                }
            }
            Event::Text(found) => match open.last_mut() {
                Some(parent) => parent.text.push_str(&found.xml10_content()),
                None if found.chars().all(is_space) => {}
                None => return Err(malformed("text outside of the root element")),
            },
            Event::CData(found) => match open.last_mut() {
                Some(parent) => parent.text.push_str(&found.xml10_content()),
                None => return Err(malformed("text outside of the root element")),
            },
            Event::GeneralRef(reference) => {
                let Some(parent) = open.last_mut() else { return Err(malformed("text outside of the root element")) };
                match reference.resolve_char_ref() {
                    Ok(Some(c)) if is_allowed(c) => parent.text.push(c),
                    Ok(Some(c)) => return Err(fault(XmlErrorKind::Character(u32::from(c)))),
                    Ok(None) => match resolve_predefined_entity(&reference) {
                        Some(text) => parent.text.push_str(text),
                        None => return Err(fault(XmlErrorKind::Entity(shortened(&reference)))),
                    },
                    Err(error) => return Err(malformed(&error.to_string())),
                }
            }
            Event::DocType(_) => return Err(fault(XmlErrorKind::DocumentType)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => match root {
                Some(root) if open.is_empty() => return Ok(root),
                _ => return Err(malformed("the document ends before its root element does")),
            },
            Event::Empty(_) => return Err(malformed("an element that is not expanded")),
        }
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// As much of a name as is worth telling.
fn shortened(name: &str) -> String {
    name.chars().take(32).collect()
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>, at: usize, limits: &XmlLimits) -> Result<Element, Fault> {
    let fault = |kind| Fault { kind, at };
    let (namespace, name) = reader.resolver().resolve_element(start.name());
    let ns = Ns::of(&namespace);
    let mut attributes = Vec::new();
    for (index, attribute) in start.attributes().enumerate() {
        if index >= limits.max_attributes {
            return Err(fault(XmlErrorKind::TooManyAttributes { limit: limits.max_attributes }));
        }
        let attribute = attribute.map_err(|error| fault(XmlErrorKind::Malformed(error.to_string())))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| fault(XmlErrorKind::Malformed(error.to_string())))?;
        if let Some(c) = value.chars().find(|c| !is_allowed(*c)) {
            return Err(fault(XmlErrorKind::Character(u32::from(c))));
        }
        let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
        let attribute_ns = Ns::of(&namespace);
        if ns != Ns::Other && attribute_ns != Ns::Other && attribute.key.as_namespace_binding().is_none() {
            attributes.push((attribute_ns, name.into_inner().into(), value.into_owned()));
        }
    }
    let name = if ns == Ns::Other { String::new() } else { name.into_inner().into() };
    Ok(Element { ns, name, attributes, children: Vec::new(), text: String::new(), at })
}
