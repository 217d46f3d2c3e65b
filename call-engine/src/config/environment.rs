//! Environment variables over the file: `BLETHER_<KEY>` and `BLETHER_<SECTION>_<KEY>`.

use std::env;
use std::ffi::OsString;

use toml::Value;

use super::error::{ConfigError, nearest};
use super::file::{Authentication, Calls, Dns, File, Http, Limits, Log, Media, Origin, Registrar, Setting, Tcp, Tls};

const PREFIX: &str = "BLETHER_";

/// Sections by name, with the keys that can be set in them; the first is the part of the file before any section.
const SECTIONS: [(&str, &[&str]); 11] = [
    ("", File::KEYS),
    ("tcp", Tcp::KEYS),
    ("tls", Tls::KEYS),
    ("dns", Dns::KEYS),
    ("http", Http::KEYS),
    ("authentication", Authentication::KEYS),
    ("media", Media::KEYS),
    ("registrar", Registrar::KEYS),
    ("limits", Limits::KEYS),
    ("calls", Calls::KEYS),
    ("log", Log::KEYS),
];

/// The variables of this process that begin with `BLETHER_`. What is not UTF-8 in a value becomes U+FFFD, which every key but
/// a few texts refuses; [`std::env::vars`] would panic.
pub fn variables() -> Vec<(String, String)> {
    let own =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned()));
    env::vars_os().filter_map(own).filter(|(name, _)| name.starts_with(PREFIX)).collect()
}

/// Puts the variables that begin with `BLETHER_` in the place of what the file says. An empty one counts as not set, which is
/// how a service manager or a container takes one back.
///
/// One that names no key is refused when it was surely meant for a key: under a section's name, or a typing mistake away from
/// a variable. Any other is left alone, because the project's other programs and its tests have variables of their own.
pub(super) fn overlay(
    file: &mut File,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    for (name, text) in variables {
        let Some(bare) = name.strip_prefix(PREFIX).filter(|_| !text.is_empty()) else { continue };
        let mut known = SECTIONS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key)));
        match known.find(|(section, key)| bare_variable(section, key) == bare) {
            Some((section, key)) => {
                if let Some(slot) = slot(file, section, key) {
                    *slot = Some(Setting { value: Value::String(text), origin: Origin::Variable(name) });
                }
            }
            None => refuse_mistake(&name, bare)?,
        }
    }
    Ok(())
}

fn refuse_mistake(name: &str, bare: &str) -> Result<(), ConfigError> {
    let known = SECTIONS.iter().flat_map(|(section, keys)| keys.iter().map(|key| bare_variable(section, key)));
    let known: Vec<String> = known.collect();
    let nearest = nearest(bare, known.iter().map(String::as_str)).map(|nearest| format!("{PREFIX}{nearest}"));
    let in_section =
        SECTIONS.iter().any(|(section, _)| !section.is_empty() && bare.starts_with(&bare_variable(section, "")));
    if nearest.is_none() && !in_section {
        return Ok(());
    }
    Err(ConfigError::UnknownVariable { name: name.to_owned(), nearest })
}

/// The name of a key's variable behind the prefix.
fn bare_variable(section: &str, key: &str) -> String {
    let separator = if section.is_empty() { "" } else { "_" };
    format!("{section}{separator}{key}").to_uppercase()
}

fn slot<'a>(file: &'a mut File, section: &str, key: &str) -> Option<&'a mut Option<Setting>> {
    match section {
        "" => file.slot(key),
        "tcp" => file.tcp.slot(key),
        "tls" => file.tls.slot(key),
        "dns" => file.dns.slot(key),
        "http" => file.http.slot(key),
        "authentication" => file.authentication.slot(key),
        "media" => file.media.slot(key),
        "registrar" => file.registrar.slot(key),
        "limits" => file.limits.slot(key),
        "calls" => file.calls.slot(key),
        "log" => file.log.slot(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_and_key_has_one_variable() {
        let mut file = File::default();
        let mut seen = Vec::new();
        for (section, keys) in SECTIONS {
            for key in keys {
                assert!(slot(&mut file, section, key).is_some(), "{section}.{key}");
                seen.push(bare_variable(section, key));
            }
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
