//! The folder of examples: its cases pass, and each example is as short as it claims to be.

use std::{fs, path::Path};

use crate::catalog::load;

const LINES_OF_A_ROUTE: usize = 15;
const LINES_OF_A_SCRIPT: usize = 25;

#[test]
fn each_example_works_and_is_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let catalog = load(&folder.as_path().into()).unwrap_or_else(|findings| panic!("{findings}"));
    let warnings: Vec<String> = catalog.all_warnings().map(|finding| format!("{finding:?}")).collect();
    assert_eq!(warnings, [""; 0]);
    let untested: Vec<_> = catalog.not_reached.iter().map(|finding| &finding.message).collect();
    assert_eq!(untested, [""; 0]);
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut folders = 0;
    for entry in fs::read_dir(&folder).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in README.md");
        folders += 1;
        let Ok(routes) = fs::read_to_string(entry.path().join("routes.yaml")) else { continue };
        for route in routes.split("\n- ") {
            assert!(route.lines().count() <= LINES_OF_A_ROUTE, "{name}: {route}");
        }
    }
    assert!(folders > 9, "{folders}");
    for (path, script) in &catalog.scripts {
        assert!(script.lines().count() <= LINES_OF_A_SCRIPT, "{path}");
    }
}
