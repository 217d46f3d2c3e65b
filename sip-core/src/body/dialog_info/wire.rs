//! Dialogs as XML (RFC 4235 §4).

use super::{Dialog, DialogEvent, DialogInfo, Direction, Identity, Participant, Replaced, State, Target};
use crate::body::xml::{Completeness, Document, Element, Fault, Ns, XmlWriter};

const NS: Ns = Ns::DialogInfo;

impl Document for DialogInfo {
    const ROOT: (Ns, &'static str) = (NS, "dialog-info");

    fn read(root: &Element) -> Result<Self, Fault> {
        // An example of RFC 4235 §4.1 has `notify-state`.
        let state = root.attribute("state").or(root.attribute("notify-state"));
        Ok(DialogInfo {
            version: root.number("version")?.ok_or_else(|| root.missing("version"))?,
            state: Completeness::read(root, state)?,
            entity: root.string("entity").unwrap_or_default(),
            dialogs: root.all(NS, "dialog").map(Dialog::read).collect::<Result<_, _>>()?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("dialog-info").attribute("xmlns", NS.uri()).attribute("version", self.version);
        out.attribute("state", self.state.as_str()).attribute("entity", &self.entity);
        for dialog in &self.dialogs {
            dialog.write(out);
        }
        out.close();
    }
}

impl Dialog {
    fn read(element: &Element) -> Result<Self, Fault> {
        let state = element.child(NS, "state").ok_or_else(|| element.missing("state"))?;
        let replaced = |element: &Element| -> Result<Replaced, Fault> {
            Ok(Replaced {
                call_id: element.required("call-id")?,
                local_tag: element.required("local-tag")?,
                remote_tag: element.required("remote-tag")?,
            })
        };
        Ok(Dialog {
            id: element.required("id")?,
            call_id: element.string("call-id"),
            local_tag: element.string("local-tag"),
            remote_tag: element.string("remote-tag"),
            direction: element.attribute("direction").map(Direction::from),
            state: State {
                value: state.text().into(),
                // The examples of RFC 4235 §6.2 name the attribute `reason`.
                event: state.attribute("event").or(state.attribute("reason")).map(DialogEvent::from),
                code: state.number("code")?,
            },
            duration: element.number_of(NS, "duration")?,
            replaces: element.child(NS, "replaces").map(replaced).transpose()?,
            referred_by: element.child(NS, "referred-by").map(Identity::read),
            local: Participant::read(element.child(NS, "local"))?,
            remote: Participant::read(element.child(NS, "remote"))?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("dialog")
            .attribute("id", &self.id)
            .attribute_if("call-id", self.call_id.as_ref())
            .attribute_if("local-tag", self.local_tag.as_ref())
            .attribute_if("remote-tag", self.remote_tag.as_ref())
            .attribute_if("direction", self.direction.as_ref());
        let State { value, event, code } = &self.state;
        out.open("state").attribute_if("event", event.as_ref()).attribute_if("code", *code).text(value).close();
        out.leaf_if("duration", self.duration);
        if let Some(Replaced { call_id, local_tag, remote_tag }) = &self.replaces {
            out.open("replaces").attribute("call-id", call_id);
            out.attribute("local-tag", local_tag).attribute("remote-tag", remote_tag).close();
        }
        if let Some(referred_by) = &self.referred_by {
            referred_by.write("referred-by", out);
        }
        self.local.write("local", out);
        self.remote.write("remote", out);
        out.close();
    }
}

impl Identity {
    fn read(element: &Element) -> Self {
        // The text of RFC 4235 says `display`, its schema `display-name`.
        let display = element.string("display").or_else(|| element.string("display-name"));
        Identity { uri: element.text().into(), display }
    }

    fn write(&self, name: &'static str, out: &mut XmlWriter) {
        out.open(name).attribute_if("display", self.display.as_ref()).text(&self.uri).close();
    }
}

impl Participant {
    fn read(element: Option<&Element>) -> Result<Self, Fault> {
        let Some(element) = element else { return Ok(Participant::default()) };
        let param = |param: &Element| Ok((param.required("pname")?, param.string("pval").unwrap_or_default()));
        let target = |target: &Element| -> Result<Target, Fault> {
            let params = target.all(NS, "param").map(param).collect::<Result<_, Fault>>()?;
            Ok(Target { uri: target.required("uri")?, params })
        };
        let description = |description: &Element| {
            let kind = description.string("type").unwrap_or_else(|| "application/sdp".into());
            (kind, description.whole_text().into())
        };
        Ok(Participant {
            identities: element.all(NS, "identity").map(Identity::read).collect(),
            target: element.child(NS, "target").map(target).transpose()?,
            session_description: element.child(NS, "session-description").map(description),
        })
    }

    fn write(&self, name: &'static str, out: &mut XmlWriter) {
        if *self == Participant::default() {
            return;
        }
        out.open(name);
        for identity in &self.identities {
            identity.write("identity", out);
        }
        if let Some(Target { uri, params }) = &self.target {
            out.open("target").attribute("uri", uri);
            for (name, value) in params {
                out.open("param").attribute("pname", name).attribute("pval", value).close();
            }
            out.close();
        }
        if let Some((kind, text)) = &self.session_description {
            out.open("session-description").attribute("type", kind).text(text).close();
        }
        out.close();
    }
}
