//! What is to be said of each finding, in Chinese; the English texts are those of the codes in `shared::finding`, and a test
//! sees that none is missing and that both name the same things.

mod clusters;
mod configuration;
mod control_plane;
mod data_plane;
mod guard;
mod images;
mod install;
mod kubernetes;
mod permissions;
mod versions;

use shared::finding::{Code, Family, Severity};

/// One code's texts.
struct Told {
    id: &'static str,
    title: &'static str,
    cause: &'static str,
    evidence: &'static str,
    fix: &'static str,
}

fn told(code: Code) -> Option<&'static Told> {
    let family = match code.family() {
        Family::Images => images::TOLD,
        Family::Configuration => configuration::TOLD,
        Family::DataPlane => data_plane::TOLD,
        Family::Versions => versions::TOLD,
        Family::Kubernetes => kubernetes::TOLD,
        Family::ControlPlane => control_plane::TOLD,
        Family::Install => install::TOLD,
        Family::Permissions => permissions::TOLD,
        Family::Guard => guard::TOLD,
        Family::Clusters => clusters::TOLD,
    };
    family.iter().find(|told| told.id == code.id())
}

/// What findings say of their codes, in English and in Chinese.
pub(super) fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    Code::all()
        .filter_map(|code| Some((code, told(code)?)))
        .flat_map(|(code, told)| {
            [
                (code.title(), told.title),
                (code.cause(), told.cause),
                (code.fix(), told.fix),
            ]
        })
}

impl super::Lang {
    /// Everything that is to be said of a code.
    #[must_use]
    pub(crate) fn explain(self, code: Code) -> String {
        let (Self::Chinese, Some(told)) = (self, told(code)) else {
            return code.explain();
        };
        let waiver = match (code.severity(), code.is_waivable()) {
            (Severity::Info, _) => self.explain_needs_no_waiver(),
            (_, true) => self.explain_may_be_waived(),
            (_, false) => self.explain_cannot_be_waived(),
        };
        let head = self.explain_head(code, told.title, self.severity(code.severity()), waiver);
        let body = self.explain_body(told.cause, told.evidence, told.fix, code.anchor());
        format!("{head}\n\n{body}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Lang;

    /// Names of things in a text: flags, fields, files, versions. They are the same in every language.
    fn names(text: &str) -> impl Iterator<Item = &str> {
        let apart = |letter: char| !letter.is_ascii() || " (),;:`".contains(letter);
        let words = text.split(apart).map(|word| word.trim_matches(['.', ',']));
        words.filter(|word| word.contains(|letter: char| "-_./=0123456789".contains(letter)))
    }

    #[test]
    fn every_code_is_told_in_chinese_and_names_the_same_things() {
        for code in Code::all() {
            let told = told(code).unwrap_or_else(|| panic!("{code} is not told in Chinese"));
            for (chinese, english) in [
                (told.title, code.title()),
                (told.cause, code.cause()),
                (told.evidence, code.evidence()),
                (told.fix, code.fix()),
            ] {
                assert!(!chinese.is_ascii(), "{code}: {chinese}");
                for name in names(chinese) {
                    assert!(english.contains(name), "{code} names {name:?}: {chinese}\n{english}");
                }
            }
            assert_eq!(Lang::English.explain(code), code.explain());
            let explained = Lang::Chinese.explain(code);
            assert!(
                explained.contains(told.cause) && explained.contains(&code.anchor()),
                "{explained}"
            );
        }
        let all = [
            images::TOLD,
            configuration::TOLD,
            data_plane::TOLD,
            versions::TOLD,
            kubernetes::TOLD,
            control_plane::TOLD,
            install::TOLD,
            permissions::TOLD,
            guard::TOLD,
            clusters::TOLD,
        ];
        let told: usize = all.iter().map(|family| family.len()).sum();
        assert_eq!(told, Code::all().count(), "a code that is gone is still told of");
    }
}
