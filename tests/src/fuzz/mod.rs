//! What is read from strangers, fed with garbage: one function of bytes for each, which panics when a promise is broken.
//!
//! The same functions run under cargo-fuzz (`tests/fuzz`), in `cargo test` with some ten thousand inputs, and in
//! `cargo fault-suite` with ten million. The two latter need no nightly compiler: they change the corpus' files by
//! dice that are loaded alike each time.

mod dice;
pub mod image;
pub mod kubeconfig;
pub mod release;
pub mod review;
pub mod version;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, ensure};
pub(crate) use dice::Dice;

/// Something that reads what strangers write.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of its folder in the corpus and of its program under cargo-fuzz.
    pub name: &'static str,
    /// Reads an input.
    pub run: fn(&[u8]),
    /// Its share of a hundred inputs: a short text is read a hundred times while YAML is read once.
    pub share: u64,
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target {
        name: "review",
        run: review::run,
        share: 21,
    },
    Target {
        name: "version",
        run: version::run,
        share: 48,
    },
    Target {
        name: "image",
        run: image::run,
        share: 25,
    },
    Target {
        name: "release",
        run: release::run,
        share: 5,
    },
    Target {
        name: "kubeconfig",
        run: kubeconfig::run,
        share: 1,
    },
];

/// How often what was made of the corpus is begun anew: changes pile up until then.
const GENERATION: u64 = 8;

impl Target {
    /// Folder with this one's corpus.
    #[must_use]
    pub fn corpus_folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(self.name)
    }

    /// The files of the corpus, in the order of their names.
    ///
    /// # Errors
    /// When there is none.
    pub fn corpus(&self) -> Result<Vec<Vec<u8>>> {
        let folder = self.corpus_folder();
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .with_context(|| format!("read {}", folder.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.sort();
        ensure!(!files.is_empty(), "{} is empty", folder.display());
        files
            .iter()
            .map(|file| std::fs::read(file).with_context(|| format!("read {}", file.display())))
            .collect()
    }

    /// Reads every file of the corpus, and then `count` inputs made of them; the same seed makes the same inputs.
    ///
    /// # Errors
    /// When one breaks a promise; it is left in a file that the error names.
    pub fn hunt(&self, seed: u64, count: u64) -> Result<()> {
        let corpus = self.corpus()?;
        for input in &corpus {
            self.try_one(input)?;
        }
        let mut dice = Dice::new(seed);
        let mut input = Vec::new();
        for number in 0..count {
            if number % GENERATION == 0 {
                input.clone_from(dice.choose(&corpus).context("the corpus is empty")?);
            }
            dice.change(&mut input, &corpus);
            self.try_one(&input)?;
        }
        Ok(())
    }

    fn try_one(&self, input: &[u8]) -> Result<()> {
        catch_unwind(AssertUnwindSafe(|| (self.run)(input))).map_err(|_| {
            // Kept, so that it can be looked at and added to the corpus.
            let kept = tempfile::Builder::new()
                .prefix(&format!("mesh-upgrade-fuzz-{}-", self.name))
                .tempfile()
                .and_then(|mut file| {
                    std::io::Write::write_all(&mut file, input)?;
                    Ok(file.keep()?.1)
                });
            match kept {
                Ok(path) => anyhow!("{} breaks a promise of {}", path.display(), self.name),
                Err(error) => anyhow!("{} breaks a promise: {input:?} ({error})", self.name),
            }
        })
    }
}
