//! Chance that is the same each time, and what it does to an input.

/// Longest input: most rules are met by short ones, and short ones are read quickly.
const MAX: usize = 4096;

/// Pieces that mean something to one reader or another.
const PIECES: [&[u8]; 40] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xc3\x28",
    b"\n",
    b"\0",
    b"\"uid\":\"x\",",
    b"\"operation\":\"DELETE\",",
    b"\"subResource\":\"status\",",
    b"\"userInfo\":{\"username\":\"system:serviceaccount:mesh-upgrade-system:mesh-upgrade-driver\",\"extra\":{\"meshupgrade.io/epoch\":[\"3\"]}},",
    b"\"object\":{\"metadata\":{}},",
    b"\"oldObject\":{\"metadata\":{}},",
    b"\"dryRun\":true,",
    b"}},\"request\":{",
    b"}}}}",
    b"{{{{",
    b"-",
    b".",
    b"-distroless",
    b"-mspider",
    b"-rc.1",
    b"v1.",
    b"18446744073709551616",
    b"9223372036854775808",
    b"@sha256:",
    b"/",
    b"registry:5000/",
    b"H4sIAAAAAAAA",
    b"=",
    b"exec: {command: sh}",
    b"&a [*a,*a]",
];

/// SplitMix64: a few lines, and good enough to choose places.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    pub(super) fn choose<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// A piece of an input: up to 64 bytes from anywhere.
    fn piece(&mut self, of: &[u8]) -> Vec<u8> {
        let from = self.below(of.len());
        let length = self.below(64).saturating_add(1);
        of.iter().skip(from).take(length).copied().collect()
    }

    /// Changes an input in one place or a few.
    pub(super) fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        for _ in 0..=self.below(3) {
            self.change_once(input, corpus);
        }
        input.truncate(MAX);
    }

    fn change_once(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len().saturating_add(1));
        match self.below(10) {
            0 => {
                let bit = self.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            1 => {
                let new = self.next().to_le_bytes()[0];
                if let Some(byte) = input.get_mut(at) {
                    *byte = new;
                }
            }
            2 => {
                let length = self.below(64).saturating_add(1);
                let end = at.saturating_add(length).min(input.len());
                input.drain(at..end);
            }
            3 => {
                let copied = self.piece(input);
                input.splice(at..at, copied);
            }
            4 => {
                let other = self.choose(corpus).cloned().unwrap_or_default();
                let copied = self.piece(&other);
                input.splice(at..at, copied);
            }
            5 => {
                let other = self.choose(corpus).cloned().unwrap_or_default();
                let from = self.below(other.len());
                input.truncate(at);
                input.extend(other.into_iter().skip(from));
            }
            6 => input.truncate(at),
            7 => {
                // A digit for a digit: versions and counts.
                let digit = u8::try_from(self.below(10)).unwrap_or_default();
                if let Some(byte) = input.iter_mut().skip(at).find(|byte| byte.is_ascii_digit()) {
                    *byte = b'0'.saturating_add(digit);
                }
            }
            _ => {
                let piece = self.choose(&PIECES).copied().unwrap_or_default();
                input.splice(at..at, piece.iter().copied());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_changes_alike_and_another_does_not() {
        let corpus = [b"1.31.0".to_vec(), b"{\"a\": [1, 2]}".to_vec()];
        let run = |seed| {
            let mut dice = Dice::new(seed);
            let mut input = corpus[0].clone();
            (0..100)
                .map(|_| {
                    dice.change(&mut input, &corpus);
                    input.clone()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!(run(7).iter().all(|input| input.len() <= MAX));
    }
}
