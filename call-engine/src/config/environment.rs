//! Environment variables over the file: `BLETHER_<KEY>` and `BLETHER_<SECTION>_<KEY>`.

use toml::Value;

use super::error::{ConfigError, nearest};
use super::file::{Calls, File, Limits, Log, Media, Origin, Registrar, Setting};

const PREFIX: &str = "BLETHER_";

/// Sections by name, with the keys that can be set in them; the first is the part of the file before any section.
const SECTIONS: [(&str, &[&str]); 6] = [
    ("", File::KEYS),
    ("media", Media::KEYS),
    ("registrar", Registrar::KEYS),
    ("limits", Limits::KEYS),
    ("calls", Calls::KEYS),
    ("log", Log::KEYS),
];

/// Puts the variables that begin with `BLETHER_` in the place of what the file says. An empty one counts as not set, which is
/// how a service manager or a container takes one back.
pub(super) fn overlay(
    file: &mut File,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    for (name, text) in variables {
        if !name.starts_with(PREFIX) || text.is_empty() {
            continue;
        }
        let known = SECTIONS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key)));
        let Some((section, key)) = known.clone().find(|(section, key)| variable(section, key) == name) else {
            let names: Vec<String> = known.map(|(section, key)| variable(section, key)).collect();
            let nearest = nearest(&name, names.iter().map(String::as_str)).map(str::to_owned);
            return Err(ConfigError::UnknownVariable { name, nearest });
        };
        if let Some(slot) = slot(file, section, key) {
            *slot = Some(Setting { value: Value::String(text), origin: Origin::Variable(name) });
        }
    }
    Ok(())
}

fn variable(section: &str, key: &str) -> String {
    let separator = if section.is_empty() { "" } else { "_" };
    format!("{PREFIX}{section}{separator}{key}").to_uppercase()
}

fn slot<'a>(file: &'a mut File, section: &str, key: &str) -> Option<&'a mut Option<Setting>> {
    match section {
        "" => file.slot(key),
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
                seen.push(variable(section, key));
            }
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
