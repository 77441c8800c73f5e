//! Keeps the core pure: its dependencies hold no runtime, no client and no transport, its source no clock and no I/O.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, process::Command};

#[test]
fn the_core_depends_on_no_runtime_and_no_transport() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(["--package", env!("CARGO_PKG_NAME")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(crates.contains(&"serde_json"), "the tree was not read:\n{tree}");
    for banned in [
        "tokio",
        "hyper",
        "reqwest",
        "rustls",
        "kube-client",
        "axum",
        "mio",
        "socket2",
    ] {
        assert!(
            !crates.contains(&banned),
            "shared must stay pure, and depends on {banned}"
        );
    }
}

#[test]
fn the_core_reads_no_clock_file_or_environment() {
    let banned = [
        "Timestamp::now",
        "SystemTime::now",
        "Instant::now",
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
    ];
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 5, "the sources were not found");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in banned {
            assert!(
                !text.contains(word),
                "{} uses {word}: give it as a parameter",
                file.display()
            );
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
