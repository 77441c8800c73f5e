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
}
