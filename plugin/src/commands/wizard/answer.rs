//! What a person may answer: a number, a letter, or only Enter.

/// An answer, as far as it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// One of the choices, from 0 on.
    Pick(usize),
    /// Only Enter.
    Enter,
    /// Look, or check, again.
    Again,
    /// One step back.
    Back,
    /// Leave; also at the end of the input.
    Quit,
    /// Nothing that was asked for.
    Unclear,
}

impl Answer {
    /// Reads an answer to so many numbered choices; `None` is the end of the input.
    pub(super) fn read(text: Option<&str>, choices: usize) -> Self {
        let Some(text) = text else { return Self::Quit };
        match text.trim().to_ascii_lowercase().as_str() {
            "" => Self::Enter,
            "r" => Self::Again,
            "b" => Self::Back,
            "q" => Self::Quit,
            number => match number.parse::<usize>() {
                Ok(number) if (1..=choices).contains(&number) => Self::Pick(number - 1),
                _ => Self::Unclear,
            },
        }
    }

    /// The same for choices that have names, which may be typed, too.
    pub(super) fn read_named<'n>(text: Option<&str>, names: impl ExactSizeIterator<Item = &'n str>) -> Self {
        match Self::read(text, names.len()) {
            Self::Unclear => {
                let typed = text.unwrap_or_default().trim();
                let mut names = names;
                names.position(|name| name == typed).map_or(Self::Unclear, Self::Pick)
            }
            answer => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_numbers_and_letters() {
        for (text, expected) in [
            (Some("1\n"), Answer::Pick(0)),
            (Some(" 3 "), Answer::Pick(2)),
            (Some("4"), Answer::Unclear),
            (Some("0"), Answer::Unclear),
            (Some("-1"), Answer::Unclear),
            (Some("\n"), Answer::Enter),
            (Some("R"), Answer::Again),
            (Some("b"), Answer::Back),
            (Some("q\r\n"), Answer::Quit),
            (Some("yes"), Answer::Unclear),
            (None, Answer::Quit),
        ] {
            assert_eq!(Answer::read(text, 3), expected, "{text:?}");
        }
    }

    #[test]
    fn a_choice_may_be_named() {
        for (text, expected) in [
            (Some("1.31.3\n"), Answer::Pick(1)),
            (Some(" 2 "), Answer::Pick(1)),
            (Some("1.31.0"), Answer::Unclear),
            (Some("3"), Answer::Unclear),
            (Some(""), Answer::Enter),
            (Some("q"), Answer::Quit),
            (None, Answer::Quit),
        ] {
            assert_eq!(
                Answer::read_named(text, ["1.30.7", "1.31.3"].into_iter()),
                expected,
                "{text:?}"
            );
        }
    }
}
