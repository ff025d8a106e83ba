//! Links between documents, and to their headings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A document's links, and the anchors of its headings.
#[derive(Default)]
struct Document {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

impl Document {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let (mut document, mut heading, mut repeated) = (Self::default(), None::<String>, BTreeMap::new());
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let count = repeated.entry(anchor.clone()).or_insert(0);
                    document.anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
                    *count += 1;
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.into_string());
                }
                _ => {}
            }
        }
        document
    }
}

/// The anchor of a heading, as mdBook and GitHub make it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|char| char.is_alphanumeric() || "-_ ".contains(*char))
        .collect::<String>();
    kept.replace(' ', "-")
}

/// Returns the links of these documents that lead nowhere.
pub fn broken(documents: &[PathBuf]) -> Vec<String> {
    let mut broken = Vec::new();
    for path in documents {
        for link in Document::read(path).links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let is_right = target.exists() && (anchor.is_empty() || Document::read(&target).anchors.contains(anchor));
            if !is_right {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    broken
}

#[test]
fn anchor_is_that_of_the_page() {
    for (heading, expected) in [
        ("Text from outside", "text-from-outside"),
        ("`status --check`: what it counts", "status---check-what-it-counts"),
        ("Storms, restarts and digests", "storms-restarts-and-digests"),
    ] {
        assert_eq!(anchor(&heading.replace('`', "")), expected);
    }
}
