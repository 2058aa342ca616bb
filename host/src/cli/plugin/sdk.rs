//! The SDK for Rust and the helpers for Python and JavaScript, which the program contains: a plugin can be built where
//! nothing else of Hookswitch is.

use std::path::Path;

use crate::cli::failure::Failure;

/// The helpers for plugins in JavaScript.
pub const JAVASCRIPT: &str = include_str!("../../../../sdk/javascript/hookswitch.js");
/// The helpers for plugins in Python.
pub const PYTHON: &str = include_str!("../../../../sdk/python/hookswitch.py");

/// Name of the folder beside the plugins.
pub const FOLDER: &str = "sdk";

/// Its files. The manifest is that of the crate without its workspace.
pub const FILES: [(&str, &str); 10] = [
    ("Cargo.toml", include_str!("template/sdk.toml.txt")),
    ("wit/plugin.wit", include_str!("../../../../sdk/wit/plugin.wit")),
    ("src/answer.rs", include_str!("../../../../sdk/src/answer.rs")),
    ("src/bindings.rs", include_str!("../../../../sdk/src/bindings.rs")),
    ("src/event.rs", include_str!("../../../../sdk/src/event.rs")),
    ("src/glue.rs", include_str!("../../../../sdk/src/glue.rs")),
    ("src/http.rs", include_str!("../../../../sdk/src/http.rs")),
    ("src/lib.rs", include_str!("../../../../sdk/src/lib.rs")),
    ("src/testing.rs", include_str!("../../../../sdk/src/testing.rs")),
    ("src/world.rs", include_str!("../../../../sdk/src/world.rs")),
];

/// Where a plugin finds the SDK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sdk {
    /// Its folder, as the plugin's Cargo.toml names it.
    pub path: String,
    /// Whether it is still to be written, beside the plugins.
    pub is_missing: bool,
}

/// Finds the SDK: the folder that is named, the one beside the plugins, or that of a checkout.
///
/// # Errors
/// If the folder that is named does not hold it.
pub fn find(plugins: &Path, named: Option<&Path>) -> anyhow::Result<Sdk> {
    let there = |path: String| Sdk { path, is_missing: false };
    if let Some(folder) = named {
        if !is_sdk(folder) {
            let what = format!("no Rust SDK in the folder {}", folder.display());
            return Err(Failure::usage(what)
                .help("name the folder of the crate hookswitch-sdk, or leave --sdk out to have it written")
                .into());
        }
        return Ok(there(std::path::absolute(folder)?.display().to_string()));
    }
    let beside = plugins.join(FOLDER);
    if !is_sdk(&beside) && is_sdk(&plugins.join("..").join(FOLDER)) {
        return Ok(there(format!("../../{FOLDER}")));
    }
    if beside.exists() && !is_sdk(&beside) {
        let what = format!("the folder {} is not the Rust SDK", beside.display());
        return Err(Failure::new(what).help("rename it, or name the folder of the SDK with --sdk").into());
    }
    Ok(Sdk { path: format!("../{FOLDER}"), is_missing: !beside.exists() })
}

fn is_sdk(folder: &Path) -> bool {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml"));
    manifest.is_ok_and(|text| text.contains("name = \"hookswitch-sdk\""))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{collections::BTreeSet, fs, path::Path};

    use super::FILES;

    /// The lines of a manifest's table.
    fn table<'a>(manifest: &'a str, head: &str) -> Vec<&'a str> {
        let lines = manifest.lines().skip_while(|line| *line != head).skip(1);
        lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn the_example_has_the_helpers_as_they_are_written() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/invoice-lines");
        assert_eq!(fs::read_to_string(folder.join("hookswitch.js")).unwrap(), super::JAVASCRIPT);
    }

    #[test]
    fn it_is_the_crate_of_this_repository() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let sources = fs::read_dir(top.join("sdk/src")).unwrap();
        let names = sources.map(|entry| format!("src/{}", entry.unwrap().file_name().to_string_lossy()));
        let all: BTreeSet<String> =
            names.chain(["Cargo.toml".to_owned(), "wit/plugin.wit".to_owned()]).collect();
        assert_eq!(all, FILES.iter().map(|(name, _)| (*name).to_owned()).collect());
        let workspace = fs::read_to_string(top.join("Cargo.toml")).unwrap();
        let versions = table(&workspace, "[workspace.dependencies]");
        let wanted = fs::read_to_string(top.join("sdk/Cargo.toml")).unwrap();
        let wanted: Vec<&str> = table(&wanted, "[dependencies]")
            .iter()
            .map(|line| {
                let name = line.strip_suffix(".workspace = true").unwrap();
                *versions.iter().find(|line| line.starts_with(&format!("{name} = "))).unwrap()
            })
            .collect();
        assert_eq!(table(FILES[0].1, "[dependencies]"), wanted);
        for line in table(&workspace, "[workspace.package]") {
            assert!(table(FILES[0].1, "[package]").contains(&line), "{line}");
        }
    }
}
