//! A case: what is wrong, the findings that show it, and how it is brought about; and the report of a check.

use std::{collections::BTreeSet, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Run, wait_until},
    product::{english_left, mesh_upgrade_command},
};
use plugin::Lang;
use serde_json::Value;

/// How long the API server may take to go by a change of RBAC, which it follows by a watch.
const RBAC_DEADLINE: Duration = Duration::from_secs(60);

/// A finding as a case expects it: its code, and words that its object or its cause must have.
pub type Shown = (&'static str, &'static str);

/// What servers, tools and other people said in these cases, which is shown as it was said.
const QUOTED: &[&str] = &[
    "cannot list resource \"envoyfilters\" in API group",
    "at the cluster scope",
    "No such file or directory (os error 2)",
    "with the vendor's chart, node by node, after the control plane; it redirects traffic in place of iptables",
];

/// One thing that is wrong in a cluster, with the findings that tell of it.
pub struct Case {
    /// What is wrong.
    pub what: &'static str,
    /// The findings that the report must have; this is where a finding gets its case.
    pub shows: &'static [Shown],
    /// Brings it about, and checks.
    pub report: fn(&Cluster) -> Result<Report>,
}

impl Case {
    /// Brings it about, and looks for the findings.
    pub fn show(&self, cluster: &Cluster) -> Result<()> {
        let report = (self.report)(cluster).with_context(|| self.what.to_owned())?;
        let missing: Vec<&Shown> = self.shows.iter().filter(|shown| !report.shows(shown)).collect();
        ensure!(
            missing.is_empty(),
            "{}: {missing:?} are not among\n{}",
            self.what,
            report.told()
        );
        let english = report.english_left();
        ensure!(english.is_empty(), "{}: not told in Chinese: {english:#?}", self.what);
        Ok(())
    }
}

/// What `check -o json` printed.
pub struct Report {
    /// The document.
    pub document: Value,
}

impl Report {
    /// Runs `check` as alice, who is an administrator.
    pub fn of(cluster: &Cluster, arguments: &[&str]) -> Result<Self> {
        Self::of_command(mesh_upgrade_command(cluster, "alice", &with_check(arguments))?)
    }

    /// Runs `check` as somebody.
    pub fn as_user(cluster: &Cluster, user: &str, arguments: &[&str]) -> Result<Self> {
        Self::of_command(mesh_upgrade_command(cluster, user, &with_check(arguments))?)
    }

    /// Runs `check` with another kubeconfig.
    pub fn with_kubeconfig(cluster: &Cluster, kubeconfig: &std::path::Path, arguments: &[&str]) -> Result<Self> {
        let mut command = mesh_upgrade_command(cluster, "alice", &with_check(arguments))?;
        command.env("KUBECONFIG", kubeconfig);
        Self::of_command(command)
    }

    /// Runs `check` as it was put together.
    pub fn of_command(command: Command) -> Result<Self> {
        let run = Run::of(command, None)?;
        let document: Value = serde_json::from_str(&run.stdout).with_context(|| run.to_string())?;
        let blocks = document.get("free") == Some(&Value::from(false));
        ensure!(run.code == if blocks { 3 } else { 0 }, "{run}");
        Ok(Self { document })
    }

    /// The findings, without those that were waived.
    pub fn findings(&self) -> impl Iterator<Item = &Value> {
        let findings = self.document.get("findings").and_then(Value::as_array);
        findings.into_iter().flatten()
    }

    /// The codes of the findings.
    pub fn codes(&self) -> BTreeSet<&str> {
        self.findings().filter_map(|finding| text(finding, "code")).collect()
    }

    /// The findings, a line each.
    pub fn told(&self) -> String {
        let lines = self.findings().map(|finding| {
            let field = |name| text(finding, name).unwrap_or("-");
            format!("{} {}: {}", field("code"), field("object"), field("cause"))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Sentences that stay English where the report is told in Chinese: all that is found, waived and passed.
    pub fn english_left(&self) -> Vec<String> {
        let of_findings = self.findings().flat_map(|finding| {
            let fields = ["object", "cause", "fix"];
            fields.into_iter().filter_map(|field| text(finding, field))
        });
        let passed = self.document.get("passed").and_then(Value::as_array);
        let of_passed = passed
            .into_iter()
            .flatten()
            .filter_map(|passed| text(passed, "summary"));
        let told = of_findings.chain(of_passed).map(|said| Lang::Chinese.told(said));
        told.flat_map(|told| english_left(&told, QUOTED)).collect()
    }

    /// Whether there is a finding of a code with these words, which says what to do and where that is explained.
    pub fn shows(&self, (code, words): &Shown) -> bool {
        self.findings().any(|finding| {
            let said = ["object", "cause"].map(|field| text(finding, field).unwrap_or_default());
            let is_whole = ["fix", "doc"]
                .into_iter()
                .all(|field| text(finding, field).is_some_and(|text| !text.is_empty()));
            text(finding, "code") == Some(code) && is_whole && said.join(": ").contains(words)
        })
    }
}

fn text<'a>(finding: &'a Value, field: &str) -> Option<&'a str> {
    finding.get(field)?.as_str()
}

fn with_check<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["check", "-o", "json"];
    all.extend(arguments);
    all
}

/// kubectl, which must succeed.
pub fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    cluster.kubectl(arguments)?.ok().map(str::to_owned)
}

/// Waits until the API server goes by what was granted or taken away: until somebody may do this, or may not.
pub fn wait_until_may(cluster: &Cluster, user: &str, action: &[&str], expected: bool) -> Result<()> {
    let question = [&["auth", "can-i"], action, &["--all-namespaces", "--as", user]].concat();
    let word = if expected { "yes" } else { "no" };
    let what = format!("{word} to whether {user} may {}", action.join(" "));
    wait_until(&what, RBAC_DEADLINE, || {
        let answer = cluster.kubectl(&question)?;
        // A reason may follow.
        let first = answer
            .stdout
            .split_whitespace()
            .next()
            .with_context(|| answer.to_string())?;
        Ok((first == word).then_some(()))
    })
}
