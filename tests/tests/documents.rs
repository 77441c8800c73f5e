//! What the documents say can be followed: links lead somewhere, commands are ones that the plugin takes, and versions are
//! the ones of the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::release::PLATFORMS;
use plugin::Cli;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The documents for people, by path from the root.
fn documents() -> Result<Vec<(PathBuf, String)>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in ["", "docs", "manifests", "shared/reference", "tests/controlplane"] {
        for entry in fs::read_dir(root().join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path.strip_prefix(root())?.to_owned());
            }
        }
    }
    paths.sort();
    let read = |path: PathBuf| Ok((path.clone(), fs::read_to_string(root().join(path))?));
    paths.into_iter().map(read).collect()
}

/// Anchors of headings, as the usual renderers make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text
        .lines()
        .filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()));
    let kept = |c: char| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_';
    headings
        .map(|heading| {
            let heading = heading.to_lowercase();
            heading
                .chars()
                .filter(|c| kept(*c))
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

/// Targets of links of the form `](target)`.
fn links(text: &str) -> Vec<&str> {
    let rest = text.split("](").skip(1);
    rest.filter_map(|rest| rest.split(')').next()).collect()
}

#[test]
fn links_lead_somewhere() -> Result<()> {
    for (path, text) in documents()? {
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link
                .split_once('#')
                .map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() {
                path.clone()
            } else {
                path.parent().unwrap_or(Path::new("")).join(file)
            };
            let at = root().join(&target);
            ensure!(at.exists(), "{}: {link} leads nowhere", path.display());
            if let Some(anchor) = anchor {
                let target = fs::read_to_string(&at)?;
                ensure!(
                    anchors(&target).contains(anchor),
                    "{}: there is no {link}",
                    path.display()
                );
            }
        }
    }
    Ok(())
}

#[test]
fn pictures_are_small_and_tell_nothing_of_the_machine() -> Result<()> {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("docs/images"))? {
        let path = entry?.path();
        let picture = fs::read_to_string(&path)?;
        ensure!(picture.len() < 100 * 1024, "{} is large", path.display());
        for text in ["/tmp/", "/root/", "127.0.0.1"] {
            ensure!(!picture.contains(text), "{} tells {text}", path.display());
        }
        seen += 1;
    }
    ensure!(seen > 0, "no pictures");
    Ok(())
}

/// What both languages of a document share: levels of headings, commands without their comments, targets of links, and the
/// first cells of tables, which are commands and verbs.
fn skeleton(text: &str) -> Vec<String> {
    let mut bones = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            let command = line.split('#').next().unwrap_or_default().trim();
            bones.extend((!command.is_empty()).then(|| command.to_owned()));
        } else if line.starts_with('#') {
            let level = line.split(' ').next().unwrap_or_default();
            bones.push(level.to_owned());
        } else if let Some(cell) = line.strip_prefix("| `").and_then(|rest| rest.split(" |").next()) {
            bones.push(cell.to_owned());
        }
    }
    bones
}

#[test]
fn the_readme_is_the_same_in_chinese() -> Result<()> {
    let english = fs::read_to_string(root().join("README.md"))?;
    let chinese = fs::read_to_string(root().join("README.zh.md"))?;
    let (one, other) = (skeleton(&english), skeleton(&chinese));
    ensure!(one.len() > 20, "{one:?}");
    for (index, (one, other)) in one.iter().zip(&other).enumerate() {
        ensure!(
            one == other,
            "part {index}: README.md has {one:?}, README.zh.md {other:?}"
        );
    }
    ensure!(
        one.len() == other.len(),
        "one has more parts: {} and {}",
        one.len(),
        other.len()
    );
    // Each leads to the other.
    let others: [&BTreeSet<&str>; 2] = [
        &links(&english)
            .into_iter()
            .filter(|link| *link != "README.zh.md")
            .collect(),
        &links(&chinese)
            .into_iter()
            .filter(|link| *link != "README.md")
            .collect(),
    ];
    ensure!(
        others[0] == others[1],
        "links: {:#?}",
        others[0].symmetric_difference(others[1])
    );
    Ok(())
}

/// Command lines of the plugin in blocks of code, without prompts, comments and what follows a pipe.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            continue;
        }
        let line = line.trim().trim_start_matches("$ ");
        if let Some(words) = line.strip_prefix("kubectl mesh-upgrade").filter(|_| inside) {
            let words = words.split(" #").next().unwrap_or_default();
            commands.push(words.split('|').next().unwrap_or_default().trim().to_owned());
        }
    }
    commands
}

#[test]
fn commands_are_ones_that_the_plugin_takes() -> Result<()> {
    let mut read = 0;
    for (path, text) in documents()? {
        for command in commands(&text).into_iter().filter(|command| !command.is_empty()) {
            // Words in capitals stand for something; a version must be one.
            let words = command.split_whitespace().map(|word| match word {
                "VERSION" => "1.31.3",
                word => word,
            });
            let line = ["kubectl-mesh_upgrade"].into_iter().chain(words).map(OsString::from);
            if let Err(error) = Cli::read(line) {
                ensure!(
                    !error.use_stderr(),
                    "{}: kubectl mesh-upgrade {command}: {error}",
                    path.display()
                );
            }
            read += 1;
        }
    }
    ensure!(read >= 15, "only {read} commands were found");
    Ok(())
}

/// What follows a text in a document, up to a character.
fn after<'a>(text: &'a str, before: &str, end: char) -> Option<&'a str> {
    text.split_once(before)?.1.split(end).next()
}

#[test]
fn the_oldest_rust_is_the_same_everywhere() -> Result<()> {
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    for (file, before) in [
        (".github/workflows/ci.yml", "rustup toolchain install "),
        (".github/workflows/ci.yml", "cargo +"),
        ("README.md", "You need Rust "),
        ("CONTRIBUTING.md", "You need Rust ("),
        ("CONTRIBUTING.md", "`cargo +"),
    ] {
        let text = fs::read_to_string(root().join(file)).with_context(|| file.to_owned())?;
        let told = after(&text, before, ' ').with_context(|| format!("{file} does not say {before:?}"))?;
        ensure!(
            told.trim_end_matches(',') == oldest,
            "{file} says {told}, Cargo.toml {oldest}"
        );
    }
    Ok(())
}

/// Without its feature the fault suite is no target at all: nobody would see that it does not compile.
#[test]
fn the_fault_suite_is_compiled_wherever_all_targets_are() -> Result<()> {
    for file in [".cargo/config.toml", ".github/workflows/ci.yml", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(file)).with_context(|| file.to_owned())?;
        let mut lines = text.lines().filter(|line| line.contains("--all-targets")).peekable();
        ensure!(lines.peek().is_some(), "{file} compiles all targets nowhere");
        for line in lines {
            ensure!(
                line.contains("--features mesh-upgrade-tests/fault-suite"),
                "{file}: {line}"
            );
        }
    }
    Ok(())
}

/// As far as it tells what runs where.
#[derive(serde::Deserialize)]
struct Workflow {
    jobs: BTreeMap<String, Job>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    runs_on: String,
    #[serde(default)]
    strategy: Strategy,
    steps: Vec<Step>,
}

#[derive(Default, serde::Deserialize)]
struct Strategy {
    matrix: BTreeMap<String, Vec<String>>,
}

#[derive(serde::Deserialize)]
struct Step {
    run: Option<String>,
}

/// Runners of the jobs with a step that compiles the plugin; the gate compiles everything.
fn compile_the_plugin(workflow: &str) -> Result<BTreeSet<String>> {
    let workflow: Workflow = serde_saphyr::from_str(workflow)?;
    let compiles = |job: &&Job| {
        let mut commands = job.steps.iter().filter_map(|step| step.run.as_deref());
        commands.any(|command| [".ci/run", "cargo check --package kubectl-mesh-upgrade --locked"].contains(&command))
    };
    let runners = workflow.jobs.values().filter(compiles).flat_map(|job| {
        let matrix = job.strategy.matrix.iter();
        let mut matrix = matrix.filter(|(name, _)| job.runs_on == format!("${{{{ matrix.{name} }}}}"));
        matrix
            .next()
            .map_or_else(|| vec![job.runs_on.clone()], |(_, runners)| runners.clone())
    });
    Ok(runners.collect())
}

/// The plugin of a platform that no machine compiles before a release would fail there.
#[test]
fn the_plugin_is_compiled_on_every_system_that_is_released_for() -> Result<()> {
    let text = fs::read_to_string(root().join(".github/workflows/ci.yml"))?;
    let runners = compile_the_plugin(&text)?;
    for platform in PLATFORMS {
        let runner = match platform.os {
            "linux" => "ubuntu-",
            "darwin" => "macos-",
            other => &format!("{other}-"),
        };
        let is_compiled = runners.iter().any(|one| one.starts_with(runner));
        ensure!(is_compiled, "nothing is compiled for {}", platform.target);
    }
    // Neither a runner nor the command counts where the other one is not.
    let elsewhere = text.replace(
        "check --package kubectl-mesh-upgrade",
        "build --package kubectl-mesh-upgrade",
    );
    let runners = compile_the_plugin(&elsewhere)?;
    ensure!(runners.iter().all(|one| one.starts_with("ubuntu-")), "{runners:?}");
    Ok(())
}
