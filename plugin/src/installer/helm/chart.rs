//! A look at a chart: its name and version, and what tells its contents from others. What comes out of a repository is fetched
//! for each look and each step, so that helm takes what was looked at.

use super::{Helm, command};
use crate::installer::{Change, Installer as _, process::with_input, redact::Redactor};
use serde::Deserialize;
use shared::{
    api::PlanStep,
    charts::{self, Location, package},
    guide::shell::quote,
};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Output,
};
use tempfile::TempDir;
use tokio::process::Command;

/// Folders in folders: more are a link that leads back to itself.
const DEEPEST: usize = 32;

/// The one hidden file that helm goes by.
const HELM_IGNORE: &str = ".helmignore";

/// What we read of a chart.
#[derive(Debug, Deserialize)]
pub(super) struct ChartFacts {
    pub(super) name: String,
    pub(super) version: String,
}

impl Helm {
    /// A chart's facts, and the digest of its contents where that is known, which it is not of a registry's chart out of helm's cache.
    pub(super) async fn show_chart(
        &self,
        step: &PlanStep,
        charts: &str,
    ) -> Result<(ChartFacts, Option<String>), String> {
        let unreadable = |error: &dyn std::fmt::Display| {
            format!(
                "chart {} from {charts} has no readable Chart.yaml: {error}",
                step.chart()
            )
        };
        let fetched = match Location::read(charts) {
            Location::Repository(_) => Some(self.fetch(step, charts).await?),
            Location::None | Location::Registry(_) | Location::Folder(_) => None,
        };
        let arguments = match &fetched {
            Some(fetched) => vec![fetched.package.display().to_string()],
            None => chart_args(step, charts),
        };
        let is_here = fetched.is_some() || Location::read(charts).is_folder();
        let place = arguments.first().filter(|_| is_here).map(PathBuf::from);
        // What helm would print of an unpacked chart, without the time that its start takes.
        let facts = place
            .as_ref()
            .map(|path| std::fs::read_to_string(path.join("Chart.yaml")));
        if let (Some(path), Some(Ok(facts))) = (&place, facts) {
            let facts = serde_saphyr::from_str(&facts).map_err(|error| unreadable(&error))?;
            return Ok((facts, Some(contents(path).await?)));
        }
        let mut command = command(&self.binary);
        command.args(["show", "chart"]).args(arguments);
        let output = had(step, charts, command).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        let facts = serde_saphyr::from_str(&String::from_utf8_lossy(&output.stdout));
        let digest = match &place {
            Some(path) => Some(contents(path).await?),
            None => charts::digest_of_pull(&said),
        };
        Ok((facts.map_err(|error| unreadable(&error))?, digest))
    }

    /// A folder has no `--version` to ask for: it may hold another one by now, from which no way leads back to the target, or
    /// other contents, and what was changed before came of those that are recorded.
    pub(super) async fn look_into_folder(&self, change: &Change<'_>) -> Result<(), String> {
        let (step, charts) = (change.step, change.charts);
        if Location::read(charts).is_address() {
            return Ok(());
        }
        let at_hand = self.prepare(step, charts).await?;
        refuse_others(change, &at_hand.what, at_hand.digest.as_deref())
    }

    /// The chart that a step is made with: that of a folder is looked at once more, and that of a repository is fetched, so that
    /// helm takes the one that was compared with what the upgrade goes by.
    pub(super) async fn at_hand(&self, change: &Change<'_>) -> Result<AtHand, String> {
        let (step, charts) = (change.step, change.charts);
        if !matches!(Location::read(charts), Location::Repository(_)) {
            self.look_into_folder(change).await?;
            return Ok(AtHand {
                arguments: chart_args(step, charts),
                _fetched: None,
            });
        }
        let fetched = self.fetch(step, charts).await?;
        let digest = contents(&fetched.package).await?;
        refuse_others(change, &format!("{} {}", step.chart(), step.to), Some(&digest))?;
        Ok(AtHand {
            arguments: vec![fetched.package.display().to_string()],
            _fetched: Some(fetched),
        })
    }

    /// Fetches the package of a chart out of a repository.
    async fn fetch(&self, step: &PlanStep, charts: &str) -> Result<Fetched, String> {
        let folder = tempfile::tempdir();
        let folder = folder.map_err(|error| format!("there is no room for chart {}: {error}", step.chart()))?;
        let mut command = command(&self.binary);
        command.arg("pull").args(chart_args(step, charts));
        command.arg("--destination").arg(folder.path());
        had(step, charts, command).await?;
        // A repository may call its files as it likes.
        let mut found = std::fs::read_dir(folder.path()).into_iter().flatten().flatten();
        let package = found.find_map(|entry| {
            let path = entry.path();
            path.extension().is_some_and(|end| end == "tgz").then_some(path)
        });
        match package {
            Some(package) => Ok(Fetched {
                package,
                _folder: folder,
            }),
            None => Err(format!(
                "chart {} {} is not to be had from {charts}: helm pull left no package",
                step.chart(),
                step.to
            )),
        }
    }
}

/// A chart as helm takes it for a step, for as long as this is kept.
pub(super) struct AtHand {
    /// In helm's own words.
    pub(super) arguments: Vec<String>,
    _fetched: Option<Fetched>,
}

/// A package in a folder that is gone with this.
struct Fetched {
    package: PathBuf,
    _folder: TempDir,
}

/// Runs what asks a place for a chart.
async fn had(step: &PlanStep, charts: &str, command: Command) -> Result<Output, String> {
    let output = with_input("helm", command, &[]).await?;
    if output.status.success() {
        return Ok(output);
    }
    let why = Redactor::default().last_lines(&String::from_utf8_lossy(&output.stderr));
    Err(format!(
        "chart {} {} is not to be had from {charts}: {why}",
        step.chart(),
        step.to
    ))
}

/// Refuses contents that are not those which the upgrade goes by, as far as these are known.
fn refuse_others(change: &Change<'_>, what: &str, digest: Option<&str>) -> Result<(), String> {
    let charts = change.charts;
    match (change.digest, digest) {
        (Some(recorded), Some(digest)) if recorded != digest => Err(format!(
            "{what} at {charts} has other contents than the upgrade goes by ({digest}, and not {recorded}): put them back, or go \
             on with these by naming them, as --charts {}",
            quote(charts)
        )),
        _ => Ok(()),
    }
}

/// The chart's place in helm's own words; a folder may hold it packaged.
pub(super) fn chart_args(step: &PlanStep, charts: &str) -> Vec<String> {
    let (place, chart) = (Location::read(charts), step.chart());
    let is_packaged = place.is_folder() && Path::new(charts).join(package(chart, &step.to)).is_file();
    place.helm_arguments(chart, &step.to, is_packaged)
}

/// The digest of a chart in a folder, packaged or not.
async fn contents(chart: &Path) -> Result<String, String> {
    let path = chart.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        if path.is_file() {
            return Ok(charts::digest_of_package(&std::fs::read(&path)?));
        }
        let mut files = BTreeMap::new();
        collect(&path, "", DEEPEST, &mut files)?;
        Ok(charts::digest_of_files(&files))
    });
    let read = read.await.map_err(io::Error::other).and_then(|read| read);
    read.map_err(|error| format!("chart {} cannot be read: {error}", chart.display()))
}

/// The files below a folder, those behind links, too. What is hidden is of editors and version control.
fn collect(folder: &Path, prefix: &str, deepest: usize, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let Some(deepest) = deepest.checked_sub(1) else {
        return Err(io::Error::other("its folders have no end"));
    };
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') && name != HELM_IGNORE {
            continue;
        }
        let (path, name) = (entry.path(), format!("{prefix}{name}"));
        if std::fs::metadata(&path)?.is_dir() {
            collect(&path, &format!("{name}/"), deepest, files)?;
        } else {
            files.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::step;
    use super::*;

    fn nowhere() -> Helm {
        Helm {
            binary: PathBuf::from("/nowhere/helm"),
            version: semver::Version::new(4, 0, 0),
        }
    }

    #[test]
    fn a_packaged_chart_is_taken_from_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let charts = folder.path().display().to_string();
        assert_eq!(chart_args(&step(), &charts), [format!("{charts}/istiod")]);
        std::fs::write(folder.path().join("istiod-1.31.0.tgz"), "").unwrap();
        assert_eq!(chart_args(&step(), &charts), [format!("{charts}/istiod-1.31.0.tgz")]);
    }

    #[tokio::test]
    async fn a_folder_that_is_called_as_a_repositorys_chart_is_not_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Chart.yaml"), "name: istiod\nversion: 1.31.0\n").unwrap();
        let step = PlanStep {
            chart: Some(folder.path().display().to_string()),
            ..step()
        };
        let why = nowhere().prepare(&step, "https://x/c").await.unwrap_err();
        assert!(why.contains("cannot run helm"), "{why}");
    }

    #[tokio::test]
    async fn an_unpacked_chart_is_looked_at_without_starting_helm() {
        let nowhere = nowhere();
        let folder = tempfile::tempdir().unwrap();
        let charts = folder.path().display().to_string();
        let missing = nowhere.prepare(&step(), &charts).await.unwrap_err();
        assert!(missing.contains("cannot run helm"), "{missing}");
        std::fs::create_dir(folder.path().join("istiod")).unwrap();
        for (facts, expected) in [
            ("name: istiod\nversion: 1.31.0\n", Ok("istiod 1.31.0")),
            ("name: istiod\nversion: 1.30.3\n", Err("the target is 1.31.0")),
            ("name: base\nversion: 1.31.0\n", Err("where istiod was expected")),
            ("[", Err("no readable Chart.yaml")),
        ] {
            std::fs::write(folder.path().join("istiod/Chart.yaml"), facts).unwrap();
            match (nowhere.prepare(&step(), &charts).await, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.what, expected),
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                (found, _) => panic!("{facts:?}: {found:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_folders_contents_are_told_by_what_helm_reads_of_it() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |folder: &tempfile::TempDir, file: &str, text: &str| {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        for folder in [&here, &there] {
            write(folder, "Chart.yaml", "name: istiod\n");
            write(folder, "templates/a.yaml", "a");
        }
        let digest = contents(here.path()).await.unwrap();
        assert_eq!(contents(there.path()).await.unwrap(), digest, "a copy");
        write(&there, ".git/HEAD", "x");
        write(&there, "templates/.a.yaml.swp", "x");
        assert_eq!(contents(there.path()).await.unwrap(), digest, "what is hidden");
        for (file, text) in [
            ("templates/a.yaml", "b"),
            ("templates/b.yaml", "a"),
            (HELM_IGNORE, "templates"),
        ] {
            write(&there, file, text);
            assert_ne!(contents(there.path()).await.unwrap(), digest, "{file}");
            std::fs::remove_file(there.path().join(file)).unwrap();
            write(&there, "templates/a.yaml", "a");
        }
        write(&there, "istiod-1.31.0.tgz", "packaged");
        let package = contents(&there.path().join("istiod-1.31.0.tgz")).await.unwrap();
        assert_eq!(package, charts::digest_of_package(b"packaged"));
        assert!(
            contents(&there.path().join("gone"))
                .await
                .unwrap_err()
                .contains("cannot be read")
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_are_followed_and_those_that_lead_back_are_told() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("real")).unwrap();
        std::fs::write(folder.path().join("real/Chart.yaml"), "name: istiod\n").unwrap();
        let (real, linked) = (folder.path().join("real"), folder.path().join("linked"));
        symlink(&real, &linked).unwrap();
        assert_eq!(contents(&linked).await, contents(&real).await);
        symlink(&real, real.join("again")).unwrap();
        let why = contents(&real).await.unwrap_err();
        assert!(why.contains("have no end"), "{why}");
    }
}
