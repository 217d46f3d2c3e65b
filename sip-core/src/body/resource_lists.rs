//! Lists of users: `application/resource-lists+xml` (RFC 4826 §3), with what each of them is to be told of the others (RFC 5364).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::xml::{Document, Element, Fault, Ns, XmlWriter, document, words};

/// Lists of users: buddies, and those whom a request is for (RFC 5363).
///
/// ```
/// use blether_sip_core::body::resource_lists::{CopyControl, Entry, Item, List, ResourceLists};
///
/// let to = Entry { copy_control: Some(CopyControl::To), ..Entry::new("sip:bill@example.com") };
/// let lists = ResourceLists { lists: vec![List { items: vec![Item::Entry(to)], ..List::default() }] };
/// let read: ResourceLists = lists.to_string().parse()?;
/// assert_eq!(read.entries().next().map(|entry| entry.uri.as_str()), Some("sip:bill@example.com"));
/// # Ok::<(), blether_sip_core::body::xml::XmlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceLists {
    /// The lists.
    pub lists: Vec<List>,
}

/// A list (RFC 4826 §3.1).
///
/// ```
/// use blether_sip_core::body::resource_lists::{Entry, Item, List, ResourceLists};
///
/// let close = List { items: vec![Item::Entry(Entry::new("sip:joe@example.com"))], ..List::default() };
/// let friends = List { name: Some("friends".into()), items: vec![Item::List(Box::new(close))], ..List::default() };
/// assert_eq!(ResourceLists { lists: vec![friends] }.entries().count(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// What it is called among its siblings.
    pub name: Option<String>,
    /// What people call it.
    pub display_name: Option<DisplayName>,
    /// What is in it, in order.
    pub items: Vec<Item>,
}

/// What may stand in a list.
///
/// ```
/// use blether_sip_core::body::resource_lists::{Entry, Item, List, ResourceLists};
///
/// let items = vec![
///     Item::Entry(Entry::new("sip:bill@example.com")),
///     Item::External("http://xcap.example.org/lists/users/sip:a@example.org".into(), None),
/// ];
/// let lists = ResourceLists { lists: vec![List { items, ..List::default() }] };
/// assert_eq!(lists.to_string().parse().as_ref(), Ok(&lists));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A user.
    Entry(Entry),
    /// A list in the list.
    List(Box<List>),
    /// A user who is named elsewhere in the XCAP root, by a relative path, and what people call them.
    EntryRef(String, Option<DisplayName>),
    /// A list elsewhere, by its URI, and what people call it.
    External(String, Option<DisplayName>),
}

/// A user in a list.
///
/// ```
/// use blether_sip_core::body::resource_lists::{CopyControl, Entry, ResourceLists};
///
/// let hidden = Entry { copy_control: Some(CopyControl::Bcc), anonymize: true, ..Entry::new("sip:joe@example.com") };
/// let lists = ResourceLists::of([Entry::new("sip:bill@example.com"), hidden]);
/// assert_eq!(lists.entries().filter(|entry| !entry.anonymize).count(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// Their URI.
    pub uri: String,
    /// What people call them.
    pub display_name: Option<DisplayName>,
    /// In what capacity they get a copy (RFC 5364 §4).
    pub copy_control: Option<CopyControl>,
    /// Whether the others are not told their URI (RFC 5364 §4).
    pub anonymize: bool,
    /// How many users a URI stands for that is not told (RFC 5364 §4).
    pub count: Option<u32>,
}

words! {
    /// In what capacity somebody gets a copy, as in an email.
    ///
    /// ```
    /// use blether_sip_core::body::resource_lists::{CopyControl, Entry};
    ///
    /// let entry = Entry { copy_control: Some("bcc".into()), ..Entry::new("sip:joe@example.com") };
    /// assert_eq!(entry.copy_control, Some(CopyControl::Bcc));
    /// ```
    CopyControl {
        /// It is for them.
        To "to",
        /// They get a copy, and the others know.
        Cc "cc",
        /// They get a copy, and the others do not know.
        Bcc "bcc",
    }
}

/// What people call a user or a list.
///
/// ```
/// use blether_sip_core::body::resource_lists::{DisplayName, Entry, ResourceLists};
///
/// let name = DisplayName { text: "Bill Doe".into(), lang: None };
/// let lists = ResourceLists::of([Entry { display_name: Some(name), ..Entry::new("sip:bill@example.com") }]);
/// assert!(lists.to_string().contains("<display-name>Bill Doe</display-name>"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DisplayName {
    /// The name.
    pub text: String,
    /// Its language, such as `en`.
    pub lang: Option<String>,
}

impl ResourceLists {
    /// A document with one list of these users.
    #[must_use]
    pub fn of(entries: impl IntoIterator<Item = Entry>) -> Self {
        let items = entries.into_iter().map(Item::Entry).collect();
        ResourceLists { lists: alloc::vec![List { items, ..List::default() }] }
    }

    /// All users in the lists and in the lists within these, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let mut open: Vec<core::slice::Iter<'_, Item>> =
            self.lists.iter().rev().map(|list| list.items.iter()).collect();
        core::iter::from_fn(move || {
            loop {
                match open.last_mut()?.next() {
                    Some(Item::Entry(entry)) => return Some(entry),
                    Some(Item::List(list)) => open.push(list.items.iter()),
                    Some(Item::EntryRef(..) | Item::External(..)) => {}
                    None => {
                        open.pop();
                    }
                }
            }
        })
    }
}

impl Entry {
    /// A user of whom nothing else is said.
    #[must_use]
    pub fn new(uri: &str) -> Self {
        Entry { uri: uri.into(), ..Entry::default() }
    }

    fn read(element: &Element) -> Result<Self, Fault> {
        let count = element.attribute_in(Ns::CopyControl, "count");
        let number = |count: &str| count.parse().map_err(|_| element.bad("count", "a number that is not too large"));
        Ok(Entry {
            uri: element.required("uri")?,
            display_name: display_name(element),
            copy_control: element.attribute_in(Ns::CopyControl, "copyControl").map(CopyControl::from),
            anonymize: matches!(element.attribute_in(Ns::CopyControl, "anonymize"), Some("true" | "1")),
            count: count.map(number).transpose()?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("entry").attribute("uri", &self.uri).attribute_if("cp:copyControl", self.copy_control.as_ref());
        out.attribute_if("cp:anonymize", self.anonymize.then_some("true")).attribute_if("cp:count", self.count);
        write_display_name(self.display_name.as_ref(), out);
        out.close();
    }
}

impl List {
    /// Reads a list; how deep they stand in one another was bounded when the elements were read.
    fn read(element: &Element) -> Result<Self, Fault> {
        let mut items = Vec::new();
        for child in element.all_in(NS) {
            items.push(match child.name() {
                "entry" => Item::Entry(Entry::read(child)?),
                "list" => Item::List(Box::new(List::read(child)?)),
                "entry-ref" => Item::EntryRef(child.required("ref")?, display_name(child)),
                "external" => Item::External(child.string("anchor").unwrap_or_default(), display_name(child)),
                _ => continue,
            });
        }
        Ok(List { name: element.string("name"), display_name: display_name(element), items })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("list").attribute_if("name", self.name.as_ref());
        write_display_name(self.display_name.as_ref(), out);
        for item in &self.items {
            match item {
                Item::Entry(entry) => entry.write(out),
                Item::List(list) => list.write(out),
                Item::EntryRef(path, name) => {
                    out.open("entry-ref").attribute("ref", path);
                    write_display_name(name.as_ref(), out);
                    out.close();
                }
                Item::External(uri, name) => {
                    out.open("external").attribute("anchor", uri);
                    write_display_name(name.as_ref(), out);
                    out.close();
                }
            }
        }
        out.close();
    }
}

fn display_name(element: &Element) -> Option<DisplayName> {
    let name = element.child(NS, "display-name")?;
    Some(DisplayName { text: name.text().into(), lang: name.attribute_in(Ns::Xml, "lang").map(String::from) })
}

fn write_display_name(name: Option<&DisplayName>, out: &mut XmlWriter) {
    if let Some(DisplayName { text, lang }) = name {
        out.open("display-name").attribute_if("xml:lang", lang.as_ref()).text(text).close();
    }
}

const NS: Ns = Ns::ResourceLists;

impl Document for ResourceLists {
    const ROOT: (Ns, &'static str) = (NS, "resource-lists");

    fn read(root: &Element) -> Result<Self, Fault> {
        Ok(ResourceLists { lists: root.all(NS, "list").map(List::read).collect::<Result<_, _>>()? })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("resource-lists").attribute("xmlns", NS.uri()).attribute("xmlns:cp", Ns::CopyControl.uri());
        self.lists.iter().for_each(|list| list.write(out));
        out.close();
    }
}

document!(ResourceLists, "application/resource-lists+xml");

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> ResourceLists {
        let document: ResourceLists = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(document.to_string().parse().as_ref(), Ok(&document), "{document}");
        document
    }

    /// The form of RFC 4826 §3.3: lists within lists, references, lists elsewhere.
    #[test]
    fn a_list_has_users_lists_and_references() {
        let lists = read(
            "<?xml version='1.0' encoding='UTF-8'?>\n<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'>\n\
             <list name='friends'><display-name xml:lang='en'>My friends</display-name>\
             <entry uri='sip:bill@example.com'><display-name>Bill Doe</display-name></entry>\
             <entry-ref ref='resource-lists/users/sip:bill@example.com/index/~~/resource-lists/list%5b@name=%22list1%22%5d/entry'/>\
             <list name='close'><entry uri='sip:joe@example.com'/><entry uri='sip:nancy@example.com'/></list>\
             <external anchor='http://xcap.example.org/resource-lists/users/sip:a@example.org/index'>\
             <display-name>Marketing</display-name></external></list><list><entry uri='sip:last@example.com'/></list>\
             </resource-lists>",
        );
        let uris: Vec<&str> = lists.entries().map(|entry| entry.uri.as_str()).collect();
        assert_eq!(
            uris,
            ["sip:bill@example.com", "sip:joe@example.com", "sip:nancy@example.com", "sip:last@example.com"]
        );
        let friends = &lists.lists[0];
        let name = friends.display_name.as_ref().unwrap();
        assert_eq!((name.text.as_str(), name.lang.as_deref(), friends.items.len()), ("My friends", Some("en"), 4));
        assert!(
            matches!(&friends.items[3], Item::External(uri, Some(_)) if uri.starts_with("http://xcap.example.org/"))
        );
    }

    /// RFC 5364 §6.
    #[test]
    fn copies_are_controlled_by_attributes_of_their_own_namespace() {
        let lists = read(
            "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists' xmlns:cc='urn:ietf:params:xml:ns:copycontrol' \
             xmlns:no='u:x'><list><entry uri='sip:bill@example.com' cc:copyControl='to'/>\
             <entry uri='sip:randy@example.net' cc:copyControl='to' cc:anonymize='true'/>\
             <entry uri='sip:joe@example.org' cc:copyControl='cc'/><entry uri='sip:carol@example.net' cc:copyControl='bcc' cc:count='2'/>\
             <entry uri='sip:ted@example.net' copyControl='bcc' no:anonymize='true'/></list></resource-lists>",
        );
        let control = |entry: &Entry| (entry.copy_control.clone(), entry.anonymize, entry.count);
        assert_eq!(
            lists.entries().map(control).collect::<Vec<_>>(),
            [
                (Some(CopyControl::To), false, None),
                (Some(CopyControl::To), true, None),
                (Some(CopyControl::Cc), false, None),
                (Some(CopyControl::Bcc), false, Some(2)),
                (None, false, None),
            ]
        );
    }
}
