//! Every metric stands in the operators' page, with its type, its unit and what it means; and nothing stands there that is not.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const CRATES: [&str; 7] =
    ["sip-transport", "sip-core", "transaction-core", "session-core", "rtp-core", "media-core", "call-engine"];
const LAYERS: [&str; 6] = ["transport", "transaction", "session", "rtp", "engine", "store"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every metric that the sources name, with its type.
fn in_sources() -> BTreeMap<String, &'static str> {
    let mut found = BTreeMap::new();
    for name in CRATES {
        scan(&root().join(name).join("src"), &mut found);
    }
    found
}

fn scan(folder: &Path, found: &mut BTreeMap<String, &'static str>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scan(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for kind in ["counter", "gauge", "histogram"] {
                for (_, after) in
                    text.match_indices(&format!("metrics::{kind}!(")).map(|(at, found)| text.split_at(at + found.len()))
                {
                    let name = after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                    let name =
                        name.unwrap_or_else(|| panic!("{}: a metric whose name is not written there", path.display()));
                    let before = found.insert(name.to_owned(), kind);
                    assert!(before.is_none_or(|before| before == kind), "{name} has two types");
                }
            }
        }
    }
}

/// The rows of the tables in the section "Metrics": name, type, unit, meaning.
fn in_page() -> BTreeMap<String, Vec<String>> {
    let page = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("Metrics\n")).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `blether_"));
    rows.map(|row| {
        let mut cells = row.trim_end().trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned());
        let name = cells.next().unwrap();
        let name = name.split(['`', '{']).next().unwrap();
        (format!("blether_{name}"), cells.collect())
    })
    .collect()
}

#[test]
fn every_metric_of_the_sources_stands_in_the_operators_page_and_the_other_way_round() {
    let (sources, page) = (in_sources(), in_page());
    assert!(sources.len() > 30, "{sources:?}");
    let missing: Vec<_> = sources.keys().filter(|name| !page.contains_key(*name)).collect();
    assert!(missing.is_empty(), "not in docs/operating.md: {missing:?}");
    let gone: Vec<_> = page.keys().filter(|name| !sources.contains_key(*name)).collect();
    assert!(gone.is_empty(), "in docs/operating.md alone: {gone:?}");
    for (name, cells) in &page {
        let [kind, unit, meaning] = &cells[..] else { panic!("{name}: {cells:?}") };
        assert_eq!(kind, sources[name], "{name}");
        assert!(!unit.is_empty() && meaning.len() > 10, "{name}: {cells:?}");
    }
}

#[test]
fn every_metric_is_named_by_its_layer_and_a_counter_ends_in_total() {
    for (name, kind) in in_sources() {
        let layer = name.strip_prefix("blether_").and_then(|rest| rest.split('_').next());
        assert!(layer.is_some_and(|layer| LAYERS.contains(&layer)), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
    }
}

#[test]
fn every_histogram_has_buckets_of_its_own() {
    let recorder = fs::read_to_string(root().join("call-engine/src/http/recorder.rs")).unwrap();
    let without: Vec<_> = in_sources()
        .into_iter()
        .filter(|(name, kind)| *kind == "histogram" && !recorder.contains(&format!("(\"{name}\", ")))
        .collect();
    assert!(without.is_empty(), "they would be summaries: {without:?}");
}
