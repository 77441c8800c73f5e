//! Charts out of a repository that is asked over HTTP: each is told by its contents, and another of the same version is refused in
//! mid-upgrade.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Started, Toolbox, copy_folder, no_leftovers},
    product::{Guard, HeldHelm, journal_phase, mesh_upgrade, mesh_upgrade_command, wait_for_journal},
};
use serde_json::Value;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn a_chart_that_changes_in_its_repository_in_mid_upgrade_is_refused() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    Istio::install(&cluster, IstioOptions::version(FROM))?;
    let guard = Guard::install(&cluster)?;
    let repository = Repository::of(&cluster, &["base", "istiod"])?;

    let helm = HeldHelm::before("istiod")?;
    let program = helm.program().display().to_string();
    let arguments = [
        "apply",
        "--to",
        TO,
        "--charts",
        &repository.url,
        "--yes",
        "--helm",
        &program,
    ];
    let mut apply = Started::of(mesh_upgrade_command(&cluster, "alice", &arguments)?)?;
    let reached = helm.wait_until_reached_by(&mut apply.child, DEADLINE);
    reached.with_context(|| apply.said())?;
    apply.kill()?;
    helm.kill()?;
    let journal = wait_for_journal(&cluster, "the journal", DEADLINE, |_| true)?;
    let digests = journal.pointer("/spec/plan/charts/digests").and_then(Value::as_object);
    let digests = digests.context("digests of the plan")?;
    ensure!(digests.keys().eq(["base-1.31.0", "istiod-1.31.0"]), "{journal:#}");

    let package = repository.folder.path().join("istiod-1.31.0.tgz");
    let first = fs::read(&package)?;
    repository.edit(&cluster, "istiod")?;
    ensure!(fs::read(&package)? != first, "the package is the same");
    let refused = mesh_upgrade(&cluster, &["apply", "--yes"])?;
    let told = "have other contents than the upgrade of mesh default goes by: istiod-1.31.0, from http://";
    ensure!(refused.code == 1 && refused.stderr.contains(told), "{refused}");
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Upgrading"));

    fs::write(&package, first)?;
    repository.index(&cluster)?;
    mesh_upgrade(&cluster, &["apply", "--yes"])?.ok()?;
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));

    drop(guard);
    drop(cluster);
    no_leftovers()
}

/// A chart repository on loopback.
struct Repository {
    folder: tempfile::TempDir,
    url: String,
}

impl Repository {
    /// With the target's charts, packaged.
    fn of(cluster: &Cluster, charts: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let served = folder.path().to_owned();
        // It ends with the test's program.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(&stream, &served).ok();
            }
        });
        let repository = Self { folder, url };
        for chart in charts {
            repository.package(cluster, &Toolbox::get()?.charts(TO)?.join(chart))?;
        }
        repository.index(cluster)?;
        Ok(repository)
    }

    fn package(&self, cluster: &Cluster, chart: &Path) -> Result<()> {
        let (chart, to) = (chart.display().to_string(), self.folder.path().display().to_string());
        let package = ["package", &chart, "--destination", &to];
        cluster.helm(&package)?.ok().map(drop)
    }

    fn index(&self, cluster: &Cluster) -> Result<()> {
        let folder = self.folder.path().display().to_string();
        let index = ["repo", "index", &folder, "--url", &self.url];
        cluster.helm(&index)?.ok().map(drop)
    }

    /// Packages a chart anew, of the same version and with another template.
    fn edit(&self, cluster: &Cluster, chart: &str) -> Result<()> {
        let edited = tempfile::tempdir()?;
        let copy = edited.path().join(chart);
        copy_folder(&Toolbox::get()?.charts(TO)?.join(chart), &copy)?;
        let template = copy.join("templates/service.yaml");
        let text = fs::read_to_string(&template)?;
        fs::write(&template, format!("{text}# edited\n"))?;
        self.package(cluster, &copy)?;
        self.index(cluster)
    }
}

/// Answers one request with the file that it asks for.
fn answer(mut stream: &TcpStream, folder: &Path) -> Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let asked = lines.next().context("a request")??;
    for line in lines.by_ref() {
        if line?.is_empty() {
            break;
        }
    }
    let path = asked.split(' ').nth(1).context("a path")?;
    let name = path.rsplit('/').next().unwrap_or_default();
    let file: PathBuf = folder.join(name);
    let (status, body) = match fs::read(&file) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)?;
    Ok(())
}
