//! A text with gaps, as `format!` takes it: `{}`, `{name}` and `{name:?}` are gaps, `{{` is a brace.

/// A text with gaps.
#[derive(Debug)]
pub(super) struct Template {
    /// The gaps, each with what stands between it and the one before.
    gaps: Vec<(String, Gap)>,
    /// What stands behind the last one.
    end: String,
}

/// What a value is put into.
#[derive(Debug)]
pub(super) struct Gap {
    /// Its name, or its number where it has none.
    pub name: String,
    /// Whether a single word in it is one of ours, not a name: written `{name!}` in the Chinese text.
    pub is_word: bool,
}

impl Template {
    /// Reads a text.
    pub(super) fn parse(text: &str) -> Self {
        let (mut gaps, mut said, mut number) = (Vec::new(), String::new(), 0_usize);
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '{' | '}' if letters.peek() == Some(&letter) => said.extend(letters.next()),
                '{' => {
                    let inner: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
                    let name = inner.split(':').next().unwrap_or_default();
                    let is_word = name.ends_with('!');
                    let mut name = name.trim_end_matches('!').to_owned();
                    if name.is_empty() {
                        name = number.to_string();
                        number += 1;
                    }
                    gaps.push((std::mem::take(&mut said), Gap { name, is_word }));
                }
                other => said.push(other),
            }
        }
        Self { gaps, end: said }
    }

    /// How much of the text is its own, in letters and in all characters: the one that says most is the one that a text was
    /// made of.
    pub(super) fn weight(&self) -> (usize, usize) {
        let said = self.gaps.iter().map(|(before, _)| before).chain([&self.end]);
        let said = said.flat_map(|said| said.chars());
        said.fold((0, 0), |(letters, all), letter| {
            (letters + usize::from(letter.is_alphabetic()), all + 1)
        })
    }

    /// Whether it ends with a text of its own.
    pub(super) fn ends(&self) -> bool {
        !self.end.is_empty()
    }

    /// The names of its gaps.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.gaps.iter().map(|(_, gap)| gap.name.as_str())
    }

    /// The gaps before which nothing stands but another gap.
    #[cfg(test)]
    pub(super) fn met(&self) -> Vec<&str> {
        let met = self.gaps.iter().skip(1).filter(|(before, _)| before.is_empty());
        met.map(|(_, gap)| gap.name.as_str()).collect()
    }

    /// The values that make a text of this template; `splits` says where two gaps meet that nothing stands between.
    pub(super) fn values<'t>(&self, text: &'t str, splits: &dyn Fn(&str) -> usize) -> Option<Vec<&'t str>> {
        let Some((before, _)) = self.gaps.first() else {
            return (text == self.end).then(Vec::new);
        };
        let rest = text.strip_prefix(before.as_str())?.strip_suffix(self.end.as_str())?;
        self.values_from(1, rest, splits)
    }

    fn values_from<'t>(&self, next: usize, text: &'t str, splits: &dyn Fn(&str) -> usize) -> Option<Vec<&'t str>> {
        let mut following = self.gaps.iter().enumerate().skip(next);
        let apart = following.find(|(_, (before, _))| !before.is_empty());
        let meeting = apart.map_or(self.gaps.len(), |(place, _)| place) - next;
        let parted = |mut text: &'t str| {
            let mut values = Vec::new();
            for _ in 0..meeting {
                let (value, rest) = text.split_at_checked(splits(text))?;
                values.push(value);
                text = rest;
            }
            values.push(text);
            Some(values)
        };
        let Some((place, (before, _))) = apart else {
            return parted(text);
        };
        // The first place is as good as any: what comes after a later one comes after it as well.
        let at = text.find(before.as_str())?;
        // What goes on in the middle of a word goes on with that word alone.
        let is_in_a_word = before.starts_with(char::is_alphabetic);
        if is_in_a_word && text.get(..at)?.contains(' ') {
            return None;
        }
        let rest = self.values_from(place + 1, text.get(at + before.len()..)?, splits)?;
        Some([parted(text.get(..at)?)?, rest].concat())
    }

    /// The text with its gaps filled.
    pub(super) fn fill(&self, value: &dyn Fn(&Gap) -> String) -> String {
        let mut text = String::new();
        for (before, gap) in &self.gaps {
            text.push_str(before);
            text.push_str(&value(gap));
        }
        text + &self.end
    }
}
