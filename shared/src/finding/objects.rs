//! Findings about several objects: each of them is accepted, and known from before, by itself.

use super::{Finding, report::in_one_line};
use crate::inventory::HitsOfRule;
use serde::{Deserialize, Serialize};

/// Objects that a cause names; those that it does not name stand in the finding all the same, as far as they are kept.
const NAMED: usize = 10;

/// One of several objects that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundObject {
    /// The object, as `VirtualService shop/reviews`.
    pub object: String,
    /// What is in it.
    pub detail: String,
}

impl Finding {
    /// The same about what a rule hit, which its cause names behind what it says already.
    #[must_use]
    pub(crate) fn hitting(mut self, hits: &HitsOfRule) -> Self {
        let kept = hits.examples.iter().map(|hit| FoundObject {
            object: in_one_line(hit.object.clone()),
            detail: in_one_line(hit.detail.clone()),
        });
        self.objects = kept.collect();
        self.unnamed = hits.count.saturating_sub(self.objects.len() as u64);
        self.cause.push_str(&listed(&self.objects, self.unnamed));
        self.alone()
    }

    /// The objects that it knows by name.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        let several = self.objects.iter().map(|one| one.object.as_str());
        self.object.as_deref().into_iter().chain(several)
    }

    /// Those of its objects that are chosen, and the rest of it. What is only counted belongs to the rest, and so does all of
    /// a finding that names none.
    pub(crate) fn part(self, mut choose: impl FnMut(&str) -> bool) -> (Option<Self>, Option<Self>) {
        if self.objects.is_empty() {
            let is_chosen = self.object.as_deref().is_some_and(choose);
            return if is_chosen {
                (Some(self), None)
            } else {
                (None, Some(self))
            };
        }
        let (chosen, rest): (Vec<_>, Vec<_>) = self.objects.iter().cloned().partition(|one| choose(&one.object));
        let unnamed = self.unnamed;
        (self.of(chosen, 0), self.of(rest, unnamed))
    }

    /// The same about some of its objects; nothing without any.
    pub(super) fn of(&self, objects: Vec<FoundObject>, unnamed: u64) -> Option<Self> {
        if objects.is_empty() && unnamed == 0 {
            return None;
        }
        let all = listed(&self.objects, self.unnamed);
        let says = self.cause.strip_suffix(&all).unwrap_or(&self.cause);
        let part = Self {
            cause: format!("{says}{}", listed(&objects, unnamed)),
            objects,
            unnamed,
            ..self.clone()
        };
        Some(part.alone())
    }

    /// One object is what the finding is about, however much is in it.
    fn alone(mut self) -> Self {
        if let Some((first, more)) = self.objects.split_first()
            && self.unnamed == 0
            && more.iter().all(|one| one.object == first.object)
        {
            self.object = Some(first.object.clone());
            self.objects.clear();
        }
        self
    }
}

fn listed(objects: &[FoundObject], unnamed: u64) -> String {
    let named = objects.iter().take(NAMED);
    let mut named: Vec<String> = named.map(|one| format!("{} ({})", one.object, one.detail)).collect();
    let more = unnamed.saturating_add(objects.len().saturating_sub(NAMED) as u64);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    named.join(", ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{finding::codes, inventory::Hit};

    /// A finding about the EnvoyFilters named, and some more.
    pub(crate) fn filters(names: &[&str], more: u64) -> Finding {
        let examples = names.iter().map(|name| Hit {
            object: format!("EnvoyFilter shop/{name}"),
            detail: "CLUSTER".to_owned(),
        });
        let hits = HitsOfRule {
            examples: examples.collect(),
            count: names.len() as u64 + more,
        };
        Finding::new(codes::ENVOY_FILTER, "patched: ", "try it").hitting(&hits)
    }

    #[test]
    fn a_part_says_what_is_in_it() {
        let (chosen, rest) = filters(&["a", "b", "c"], 0).part(|object| object.ends_with("/b"));
        let (chosen, rest) = (chosen.unwrap(), rest.unwrap());
        assert_eq!(chosen.object.as_deref(), Some("EnvoyFilter shop/b"));
        assert_eq!(chosen.cause, "patched: EnvoyFilter shop/b (CLUSTER)");
        assert_eq!(
            rest.cause,
            "patched: EnvoyFilter shop/a (CLUSTER), EnvoyFilter shop/c (CLUSTER)"
        );
        assert_eq!(rest.named().count(), 2);
        let (_, rest) = rest.part(|object| object.ends_with("/a"));
        assert_eq!(rest.unwrap(), filters(&["c"], 0));
    }

    #[test]
    fn what_is_only_counted_stays() {
        let names: Vec<String> = (0..20).map(|index| format!("f{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (chosen, rest) = filters(&names, 5).part(|_| true);
        assert!(chosen.unwrap().cause.ends_with("and 10 more"));
        let rest = rest.unwrap();
        assert_eq!((rest.cause.as_str(), rest.unnamed), ("patched: and 5 more", 5));
        assert_eq!(rest.object, None);
        let twice = filters(&["a", "a"], 0);
        assert_eq!(twice.object.as_deref(), Some("EnvoyFilter shop/a"));
        assert!(twice.objects.is_empty() && twice.cause.matches("shop/a").count() == 2);
        assert_eq!(filters(&["a", "a"], 1).objects.len(), 2);
        let whole = Finding::new(codes::ENVOY_FILTER, "patched", "try it");
        assert_eq!(whole.clone().part(|_| true), (None, Some(whole)));
    }
}
