use alloc::string::String;
use alloc::string::ToString;

use nom::Parser;
use nom::bytes::complete::take_while1;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, StatusCode};

/// More about a status, mostly about session descriptions (RFC 3261 §20.43): `399 host "text"`.
///
/// ```
/// use blether_sip_core::Warning;
///
/// let warning: Warning = "370 devnull \"Choose a bigger pipe\"".parse()?;
/// assert_eq!((warning.code, &*warning.text), (370, "Choose a bigger pipe"));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Warning {
    /// Three digits, 300 to 399 in all that are defined.
    pub code: u16,
    /// The host, with its port, or a name of who warns.
    pub agent: ByteStr,
    /// The text for people, without its quotes.
    pub text: ByteStr,
}

/// What may stand in an agent: nothing that ends a value of a list, or keeps it from ending.
fn is_agent_char(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | ',' | '<')
}

fn warning<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Warning> {
    let agent = take_while1(is_agent_char);
    let rule = (grammar::number::<u16>, grammar::lws, agent, grammar::lws, grammar::quoted_string);
    rule.map_opt(|(code, _, agent, _, text)| {
        StatusCode::new(code)?; // three digits
        Some(Warning { code, agent: whole.share(agent), text: grammar::unquoted(whole, text) })
    })
    .parse(input)
}

impl TypedHeader for Warning {
    const NAME: HeaderName = HeaderName::Warning;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| warning(&value, input), Self::NAME, "a code, a host and a \"text\"")
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.code.clamp(100, 699).to_string());
        out.push(' ');
        let start = out.len();
        out.extend(self.agent.chars().filter(|c| is_agent_char(*c)));
        if out.len() == start {
            out.push('-');
        }
        out.push(' ');
        grammar::write_quoted(out, &self.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_warning_has_a_code_an_agent_and_a_text() {
        let (read, written) =
            rewritten::<Warning>("307 isi.edu:5060 \"Session parameter 'foo' not \\\"understood\\\"\"");
        assert_eq!((read.code, &*read.agent), (307, "isi.edu:5060"));
        assert_eq!(read.text, "Session parameter 'foo' not \"understood\"");
        assert_eq!(written, "307 isi.edu:5060 \"Session parameter 'foo' not \\\"understood\\\"\"");
        // The second is of RFC 4475 §3.1.2.5.
        for text in ["", "1812 overture \"In Progress\"", "399 a", "399 \"a\"", "399 a b", "399 a<b \"c\""] {
            assert!(Warning::parse_value(text.into()).is_err(), "{text}");
        }
    }
}
