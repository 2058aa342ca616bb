//! What `rules check` and `check` say about files and links.

use serde_json::Value;

use crate::harness::{Stage, program, write_file, write_rule};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

#[test]
fn a_file_must_be_there_and_be_what_meta_takes() {
    let folder = tempfile::tempdir().unwrap();
    let large = [PNG, &vec![0; 5 * 1024 * 1024]].concat();
    let template = |header: &str| {
        format!(
            "---\ndescription: x\ncategory: utility\nlanguage: en_US\nmode: text\nheader: {header}\n---\nHello.\n"
        )
    };
    write_rule(folder.path(), "groups.yaml", "[]");
    write_file(folder.path(), "a/files/photo.png", PNG);
    write_rule(folder.path(), "a/files/page.png", "<html></html>");
    write_file(folder.path(), "a/files/large.png", &large);
    for (name, header) in [
        ("right", "{image: files/photo.png}"),
        ("gone", "{image: files/gone.png}"),
        ("page", "{image: files/page.png}"),
        ("large", "{image: files/large.png}"),
        ("kind", "{document: files/photo.png}"),
    ] {
        write_rule(folder.path(), &format!("a/templates/{name}.j2"), &template(header));
    }
    let output = program(&["rules", "check", "--rules"]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "the file a/files/gone.png does not exist",
        "the content of a/files/page.png is not that of a file of the type image/png",
        "a/files/large.png is larger than the 5 MiB that Meta allows",
        "a/files/photo.png is not a file that Meta takes as document",
        "a/templates/gone.j2:6:1",
    ] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
    assert!(!said.contains("right.j2"), "{said}");
}

/// `rules check` stays off the network; `check` looks at links that are the same in each message.
#[tokio::test]
async fn a_broken_link_is_found_by_the_check() {
    let photo = "---\ndescription: A photo\ncategory: utility\nlanguage: en_US\nmode: text\nheader: {image: \
                 'https://127.0.0.1:9/photo.jpg'}\n---\nHello.\n";
    let stage = Stage::builder().rules(&[("any/templates/photo.j2", photo)]).start().await;
    assert!(stage.run(&["rules", "check"]).status.success());
    let output = stage.run(&["check", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings =
        report["sections"].as_array().unwrap().iter().flat_map(|it| it["findings"].as_array().unwrap());
    let link: Vec<_> = findings.filter(|finding| finding["id"] == "template.link").collect();
    let said = link[0]["what"].as_str().unwrap();
    assert!(
        link.len() == 1
            && said.contains("template photo from https://127.0.0.1:9/photo.jpg: 127.0.0.1 is not a public"),
        "{said}"
    );
}
