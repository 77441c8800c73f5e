//! Commands in one cluster: each names its context, so that none goes to whichever cluster is the current one.

use super::shell;

/// A cluster as commands name it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Name of the cluster.
    pub cluster: String,
    /// Context that leads to it.
    pub context: Option<String>,
    /// Its place in the mesh.
    pub number: usize,
}

impl Place {
    /// `kubectl` with these arguments.
    pub fn kubectl<S: AsRef<str>>(&self, words: &[S]) -> String {
        self.command("kubectl", "--context", words)
    }

    /// `helm` with these arguments.
    pub fn helm<S: AsRef<str>>(&self, words: &[S]) -> String {
        self.command("helm", "--kube-context", words)
    }

    /// `istioctl` with these arguments.
    pub fn istioctl<S: AsRef<str>>(&self, words: &[S]) -> String {
        self.command("istioctl", "--context", words)
    }

    /// A word for a file of the private folder that is about something in this cluster.
    pub fn file(&self, name: &str, end: &str) -> String {
        format!("\"$WORK\"/{}", self.file_name(name, end))
    }

    /// The name of such a file.
    pub fn file_name(&self, name: &str, end: &str) -> String {
        shell::file_name(self.number, name, end)
    }

    fn command<S: AsRef<str>>(&self, program: &str, flag: &str, words: &[S]) -> String {
        let context = self.context.as_ref().map(|context| format!("{flag}={context}"));
        let words = words.iter().map(AsRef::as_ref);
        shell::command([program].into_iter().chain(context.as_deref()).chain(words))
    }
}
