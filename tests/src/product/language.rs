//! Whether what people read is in their language: runs of English words in what was told in Chinese.

/// How many English words in a row are a sentence that nobody translated; fewer are names.
const SENTENCE: usize = 4;

/// Runs of at least four English words. Commands are typed as they are, and `quoted` is what others said: servers, tools and
/// vendors, whose words stay theirs.
#[must_use]
pub fn english_left(text: &str, quoted: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = quoted
            .iter()
            .fold(line.to_owned(), |line, said| line.replace(said, " ⟨⟩ "));
        let mut run: Vec<&str> = Vec::new();
        for word in line.split_whitespace().chain([""]) {
            let ends = word.ends_with([',', '.', ';', ':', ')']);
            let bare = word.trim_matches([',', '.', ';', ':', '(', ')', '"', '\'']);
            if is_english(bare) {
                run.push(word);
            }
            if !is_english(bare) || (ends && is_command(&run)) {
                if run.len() >= SENTENCE && !is_command(&run) {
                    found.push(run.join(" "));
                }
                run.clear();
            }
        }
    }
    found
}

/// A word in small letters, as sentences have them; names of things have digits, capitals, dashes or slashes in them.
fn is_english(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '\'')
}

fn is_command(words: &[&str]) -> bool {
    let first = words.first().map(|word| word.trim_start_matches('('));
    matches!(first, Some("kubectl" | "helm" | "istioctl" | "sh"))
}

#[cfg(test)]
mod tests {
    use super::english_left;

    #[test]
    fn sentences_are_found_and_names_and_commands_are_not() {
        for (text, found) in [
            ("处理：the mesh runs another version", 1),
            ("网格 shop 运行 1.31.0（Deployment istio-system/istiod）", 0),
            ("然后：kubectl rollout restart deployment", 0),
            ("东：the server could not find the requested resource", 0),
            ("MU101 istiod is behind its proxies 版本", 1),
        ] {
            let left = english_left(text, &["the server could not find the requested resource"]);
            assert_eq!(left.len(), found, "{left:?}");
        }
    }
}
