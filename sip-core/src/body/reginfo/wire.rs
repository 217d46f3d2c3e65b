//! Registrations as XML (RFC 3680 §5, RFC 5628 §5).

use super::{Contact, RegInfo, Registration};
use crate::body::xml::{Completeness, Document, Element, Fault, Ns, XmlWriter};

const NS: Ns = Ns::Reginfo;

impl Document for RegInfo {
    const ROOT: (Ns, &'static str) = (NS, "reginfo");

    fn read(root: &Element) -> Result<Self, Fault> {
        Ok(RegInfo {
            version: root.number("version")?.ok_or_else(|| root.missing("version"))?,
            state: Completeness::read(root, root.attribute("state"))?,
            registrations: root.all(NS, "registration").map(Registration::read).collect::<Result<_, _>>()?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("reginfo").attribute("xmlns", NS.uri()).attribute("xmlns:gr", Ns::Gruu.uri());
        out.attribute("version", self.version).attribute("state", self.state.as_str());
        for Registration { aor, id, state, contacts } in &self.registrations {
            out.open("registration").attribute("aor", aor).attribute("id", id).attribute("state", state);
            for contact in contacts {
                contact.write(out);
            }
            out.close();
        }
        out.close();
    }
}

impl Registration {
    fn read(element: &Element) -> Result<Self, Fault> {
        Ok(Registration {
            aor: element.required("aor")?,
            id: element.required("id")?,
            state: element.required("state")?.as_str().into(),
            contacts: element.all(NS, "contact").map(Contact::read).collect::<Result<_, _>>()?,
        })
    }
}

impl Contact {
    fn read(element: &Element) -> Result<Self, Fault> {
        let param = |param: &Element| Ok((param.required("name")?, param.text().into()));
        let temporary = |gruu: &Element| {
            let first = gruu.number("first-cseq")?.ok_or_else(|| gruu.missing("first-cseq"))?;
            Ok((gruu.required("uri")?, first))
        };
        let public = element.child(Ns::Gruu, "pub-gruu");
        let temp_gruu = element.child(Ns::Gruu, "temp-gruu").map(temporary);
        Ok(Contact {
            id: element.required("id")?,
            state: element.required("state")?.as_str().into(),
            event: element.required("event")?.as_str().into(),
            uri: element.text_of(NS, "uri").ok_or_else(|| element.missing("uri"))?,
            display_name: element.text_of(NS, "display-name"),
            expires: element.number("expires")?,
            retry_after: element.number("retry-after")?,
            duration_registered: element.number("duration-registered")?,
            q: element.string("q"),
            call_id: element.string("callid"),
            cseq: element.number("cseq")?,
            unknown_params: element.all(NS, "unknown-param").map(param).collect::<Result<_, Fault>>()?,
            pub_gruu: public.map(|gruu| gruu.required("uri")).transpose()?,
            temp_gruu: temp_gruu.transpose()?,
        })
    }

    fn write(&self, out: &mut XmlWriter) {
        out.open("contact")
            .attribute("id", &self.id)
            .attribute("state", &self.state)
            .attribute("event", &self.event)
            .attribute_if("expires", self.expires)
            .attribute_if("retry-after", self.retry_after)
            .attribute_if("duration-registered", self.duration_registered)
            .attribute_if("q", self.q.as_ref())
            .attribute_if("callid", self.call_id.as_ref())
            .attribute_if("cseq", self.cseq);
        out.leaf("uri", &self.uri);
        out.leaf_if("display-name", self.display_name.as_ref());
        for (name, value) in &self.unknown_params {
            out.open("unknown-param").attribute("name", name).text(value).close();
        }
        if let Some(uri) = &self.pub_gruu {
            out.open("gr:pub-gruu").attribute("uri", uri).close();
        }
        if let Some((uri, first)) = &self.temp_gruu {
            out.open("gr:temp-gruu").attribute("uri", uri).attribute("first-cseq", first).close();
        }
        out.close();
    }
}
