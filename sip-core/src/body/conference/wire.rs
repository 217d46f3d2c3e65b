//! A conference as XML (RFC 4575 §6).

use alloc::string::String;
use alloc::vec::Vec;

use super::{
    CallInfo, Change, ConferenceInfo, ConferenceState, Description, Endpoint, Execution, Host, Media, Medium, UriEntry,
    User,
};
use crate::body::xml::{Document, Element, Fault, Ns, XmlWriter};

const NS: Ns = Ns::Conference;

impl Document for ConferenceInfo {
    const ROOT: (Ns, &'static str) = (NS, "conference-info");

    fn read(root: &Element) -> Result<Self, Fault> {
        let users = root.child(NS, "users");
        let sidebars = root.child(NS, "sidebars-by-ref");
        let all_users = users.map(|users| users.all(NS, "user").map(User::read).collect::<Result<_, _>>());
        let state = Change::read(root)?;
        Ok(ConferenceInfo {
            entity: root.required("entity")?,
            state,
            version: root.number("version")?.unwrap_or(0),
            description: root.child(NS, "conference-description").map(Description::read).transpose()?,
            host: root.child(NS, "host-info").map(Host::read).transpose()?,
            conference_state: root.child(NS, "conference-state").map(ConferenceState::read).transpose()?,
            users_state: users.map_or(Ok(state.of_absent()), Change::read)?,
            users: all_users.transpose()?.unwrap_or_default(),
            sidebars_state: sidebars.map_or(Ok(state.of_absent()), Change::read)?,
            sidebars: uris(sidebars)?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("conference-info").attribute("xmlns", NS.uri()).attribute("entity", &self.entity);
        out.attribute("state", self.state.as_str()).attribute("version", self.version);
        if let Some(description) = &self.description {
            description.write(out);
        }
        if let Some(Host { display_text, web_page, uris }) = &self.host {
            out.open("host-info");
            out.leaf_if("display-text", display_text.as_ref());
            out.leaf_if("web-page", web_page.as_ref());
            write_uris("uris", uris, out);
            out.close();
        }
        if let Some(ConferenceState { user_count, active, locked }) = &self.conference_state {
            out.open("conference-state");
            out.leaf_if("user-count", *user_count);
            out.leaf_if("active", *active);
            out.leaf_if("locked", *locked);
            out.close();
        }
        if !self.users.is_empty() || self.users_state != self.state.of_absent() {
            out.open("users").attribute("state", self.users_state.as_str());
            self.users.iter().for_each(|user| user.write(out));
            out.close();
        }
        if !self.sidebars.is_empty() || self.sidebars_state != self.state.of_absent() {
            write_entries("sidebars-by-ref", self.sidebars_state, &self.sidebars, out);
        }
        out.close();
    }
}

impl Change {
    /// What a list that is not there means, in a document of this state: in a partial one, that nothing in it changed.
    pub(super) fn of_absent(self) -> Change {
        if self == Change::Partial { Change::Partial } else { Change::Full }
    }

    fn read(element: &Element) -> Result<Self, Fault> {
        let state = element.attribute("state").map(str::parse).transpose();
        state.map(Option::unwrap_or_default).map_err(|_| element.bad("state", "full, partial or deleted"))
    }
}

impl Description {
    fn read(element: &Element) -> Result<Self, Fault> {
        let medium = |entry: &Element| {
            Ok(Medium {
                label: entry.required("label")?,
                display_text: entry.text_of(NS, "display-text"),
                kind: entry.text_of(NS, "type").unwrap_or_default(),
                status: entry.child(NS, "status").map(|status| status.text().into()),
            })
        };
        let media = element.child(NS, "available-media");
        let media = media.map(|media| media.all(NS, "entry").map(medium).collect::<Result<_, Fault>>());
        Ok(Description {
            display_text: element.text_of(NS, "display-text"),
            subject: element.text_of(NS, "subject"),
            free_text: element.text_of(NS, "free-text"),
            keywords: element.text_of(NS, "keywords"),
            conf_uris: uris(element.child(NS, "conf-uris"))?,
            service_uris: uris(element.child(NS, "service-uris"))?,
            maximum_user_count: element.number_of(NS, "maximum-user-count")?,
            available_media: media.transpose()?.unwrap_or_default(),
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("conference-description");
        out.leaf_if("display-text", self.display_text.as_ref());
        out.leaf_if("subject", self.subject.as_ref());
        out.leaf_if("free-text", self.free_text.as_ref());
        out.leaf_if("keywords", self.keywords.as_ref());
        write_uris("conf-uris", &self.conf_uris, out);
        write_uris("service-uris", &self.service_uris, out);
        out.leaf_if("maximum-user-count", self.maximum_user_count);
        if !self.available_media.is_empty() {
            out.open("available-media");
            for Medium { label, display_text, kind, status } in &self.available_media {
                out.open("entry").attribute("label", label);
                out.leaf_if("display-text", display_text.as_ref());
                out.leaf("type", kind);
                out.leaf_if("status", status.as_ref());
                out.close();
            }
            out.close();
        }
        out.close();
    }
}

impl Host {
    fn read(element: &Element) -> Result<Self, Fault> {
        Ok(Host {
            display_text: element.text_of(NS, "display-text"),
            web_page: element.text_of(NS, "web-page"),
            uris: uris(element.child(NS, "uris"))?,
        })
    }
}

impl ConferenceState {
    fn read(element: &Element) -> Result<Self, Fault> {
        let flag = |name: &'static str| -> Result<Option<bool>, Fault> {
            let Some(child) = element.child(NS, name) else { return Ok(None) };
            match child.text() {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                _ => Err(child.bad(name, "true or false")),
            }
        };
        Ok(ConferenceState {
            user_count: element.number_of(NS, "user-count")?,
            active: flag("active")?,
            locked: flag("locked")?,
        })
    }
}

impl User {
    fn read(element: &Element) -> Result<Self, Fault> {
        let roles = element.child(NS, "roles");
        let roles = roles.map(|roles| roles.all(NS, "entry").map(|role| role.text().into()).collect());
        Ok(User {
            entity: element.string("entity").unwrap_or_default(),
            state: Change::read(element)?,
            display_text: element.text_of(NS, "display-text"),
            associated_aors: uris(element.child(NS, "associated-aors"))?,
            roles: roles.unwrap_or_default(),
            languages: element.text_of(NS, "languages"),
            cascaded_focus: element.text_of(NS, "cascaded-focus"),
            endpoints: element.all(NS, "endpoint").map(Endpoint::read).collect::<Result<_, _>>()?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("user").attribute("entity", &self.entity).attribute("state", self.state.as_str());
        out.leaf_if("display-text", self.display_text.as_ref());
        write_uris("associated-aors", &self.associated_aors, out);
        if !self.roles.is_empty() {
            out.open("roles");
            self.roles.iter().for_each(|role| out.leaf("entry", role));
            out.close();
        }
        out.leaf_if("languages", self.languages.as_ref());
        out.leaf_if("cascaded-focus", self.cascaded_focus.as_ref());
        self.endpoints.iter().for_each(|endpoint| endpoint.write(out));
        out.close();
    }
}

impl Endpoint {
    fn read(element: &Element) -> Result<Self, Fault> {
        let call = |call: &Element| CallInfo {
            display_text: call.text_of(NS, "display-text"),
            call_id: call.text_of(NS, "call-id").unwrap_or_default(),
            from_tag: call.text_of(NS, "from-tag").unwrap_or_default(),
            to_tag: call.text_of(NS, "to-tag").unwrap_or_default(),
        };
        Ok(Endpoint {
            entity: element.string("entity").unwrap_or_default(),
            state: Change::read(element)?,
            display_text: element.text_of(NS, "display-text"),
            referred: execution(element.child(NS, "referred")),
            status: element.child(NS, "status").map(|status| status.text().into()),
            joining_method: element.text_of(NS, "joining-method"),
            joining_info: execution(element.child(NS, "joining-info")),
            disconnection_method: element.text_of(NS, "disconnection-method"),
            disconnection_info: execution(element.child(NS, "disconnection-info")),
            media: element.all(NS, "media").map(Media::read).collect::<Result<_, _>>()?,
            call: element.child(NS, "call-info").and_then(|info| info.child(NS, "sip")).map(call),
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("endpoint").attribute("entity", &self.entity).attribute("state", self.state.as_str());
        out.leaf_if("display-text", self.display_text.as_ref());
        write_execution("referred", self.referred.as_ref(), out);
        out.leaf_if("status", self.status.as_ref());
        out.leaf_if("joining-method", self.joining_method.as_ref());
        write_execution("joining-info", self.joining_info.as_ref(), out);
        out.leaf_if("disconnection-method", self.disconnection_method.as_ref());
        write_execution("disconnection-info", self.disconnection_info.as_ref(), out);
        self.media.iter().for_each(|media| media.write(out));
        if let Some(CallInfo { display_text, call_id, from_tag, to_tag }) = &self.call {
            out.open("call-info").open("sip");
            out.leaf_if("display-text", display_text.as_ref());
            out.leaf("call-id", call_id);
            out.leaf("from-tag", from_tag);
            out.leaf("to-tag", to_tag);
            out.close();
            out.close();
        }
        out.close();
    }
}

impl Media {
    fn read(element: &Element) -> Result<Self, Fault> {
        Ok(Media {
            id: element.required("id")?,
            display_text: element.text_of(NS, "display-text"),
            kind: element.text_of(NS, "type"),
            label: element.text_of(NS, "label"),
            src_id: element.text_of(NS, "src-id"),
            status: element.child(NS, "status").map(|status| status.text().into()),
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("media").attribute("id", &self.id);
        out.leaf_if("display-text", self.display_text.as_ref());
        out.leaf_if("type", self.kind.as_ref());
        out.leaf_if("label", self.label.as_ref());
        out.leaf_if("src-id", self.src_id.as_ref());
        out.leaf_if("status", self.status.as_ref());
        out.close();
    }
}

fn execution(element: Option<&Element>) -> Option<Execution> {
    let text = |element: &Element, name: &str| -> Option<String> { element.text_of(NS, name) };
    element.map(|it| Execution { when: text(it, "when"), reason: text(it, "reason"), by: text(it, "by") })
}

fn write_execution(name: &'static str, execution: Option<&Execution>, out: &mut XmlWriter) {
    let Some(Execution { when, reason, by }) = execution else { return };
    out.open(name);
    out.leaf_if("when", when.as_ref());
    out.leaf_if("reason", reason.as_ref());
    out.leaf_if("by", by.as_ref());
    out.close();
}

fn uris(element: Option<&Element>) -> Result<Vec<UriEntry>, Fault> {
    let entry = |entry: &Element| {
        Ok(UriEntry {
            uri: entry.text_of(NS, "uri").ok_or_else(|| entry.missing("uri"))?,
            display_text: entry.text_of(NS, "display-text"),
            purpose: entry.text_of(NS, "purpose"),
        })
    };
    element.map_or(Ok(Vec::new()), |element| element.all(NS, "entry").map(entry).collect())
}

fn write_uris(name: &'static str, uris: &[UriEntry], out: &mut XmlWriter) {
    if !uris.is_empty() {
        write_entries(name, Change::Full, uris, out);
    }
}

fn write_entries(name: &'static str, change: Change, uris: &[UriEntry], out: &mut XmlWriter) {
    out.open(name);
    if change != Change::Full {
        out.attribute("state", change.as_str());
    }
    for UriEntry { uri, display_text, purpose } in uris {
        out.open("entry");
        out.leaf("uri", uri);
        out.leaf_if("display-text", display_text.as_ref());
        out.leaf_if("purpose", purpose.as_ref());
        out.close();
    }
    out.close();
}
