//! The cache codes of Transit's JSON mode, as a writer gives them out.
//!
//! A list of 24 listings has some 800 keys, so this is an open-addressing table over byte
//! slices: no allocation per key, and none at all once the distinct keys are known.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use crate::read::cache::{BASE, CAPACITY, FIRST_DIGIT};

/// Differs from process to process, so that nobody can choose keys that collide.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0_u64));

/// What to write for a cacheable string.
pub(super) enum Code {
    /// Write it in full: it is new and has taken a number, or it is too short to be cached.
    InFull,
    /// Write the code of this index.
    Index(usize),
}

struct Entry {
    hash: u64,
    start: usize,
    len: usize,
    kind: u8,
}

/// The strings that were written in full since the numbering last began.
#[derive(Default)]
pub(super) struct KeyCodes {
    /// Positions in `entries` plus one; 0 is free. The length is a power of two.
    slots: Vec<u16>,
    entries: Vec<Entry>,
    names: Vec<u8>,
}

impl KeyCodes {
    /// Looks up `~` + `kind` + `name`, where kind is `:` or `#`, and numbers it when it is new.
    pub(super) fn code(&mut self, kind: u8, name: &str) -> Code {
        if !is_cacheable(name) {
            return Code::InFull;
        }
        if self.entries.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let name = name.as_bytes();
        let hash = hash(kind, name);
        let mut slot = self.first_slot(hash);
        while let Some(position) = usize::from(self.slots[slot]).checked_sub(1) {
            let entry = &self.entries[position];
            if entry.hash == hash
                && entry.kind == kind
                && self.names[entry.start..entry.start + entry.len] == *name
            {
                return Code::Index(position);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        if self.entries.len() == CAPACITY {
            // Full: the numbering starts again and all earlier codes are forgotten.
            self.slots.fill(0);
            self.entries.clear();
            self.names.clear();
            slot = self.first_slot(hash);
        }
        self.entries.push(Entry {
            hash,
            start: self.names.len(),
            len: name.len(),
            kind,
        });
        self.names.extend_from_slice(name);
        self.slots[slot] = self.entries.len() as u16;
        Code::InFull
    }

    fn first_slot(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(128);
        self.slots.clear();
        self.slots.resize(len, 0);
        for (position, entry) in self.entries.iter().enumerate() {
            let mut slot = entry.hash as usize & (len - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (len - 1);
            }
            self.slots[slot] = position as u16 + 1;
        }
    }
}

/// Writes the code of an index without quotes.
pub(super) fn push_code(out: &mut Vec<u8>, index: usize) {
    let (high, low) = ((index / BASE) as u8, (index % BASE) as u8);
    if high == 0 {
        out.extend_from_slice(&[b'^', FIRST_DIGIT + low]);
    } else {
        out.extend_from_slice(&[b'^', FIRST_DIGIT + high, FIRST_DIGIT + low]);
    }
}

/// With the two characters before it the string must have more than three UTF-16 units, as
/// JavaScript counts them: one character of four bytes has two, one of three bytes has one.
fn is_cacheable(name: &str) -> bool {
    match name.len() {
        0 | 1 => false,
        2..=4 => name.encode_utf16().nth(1).is_some(),
        _ => true,
    }
}

/// A folded multiplication per eight bytes; short keys need one or two.
fn hash(kind: u8, name: &[u8]) -> u64 {
    const A: u64 = 0x9E37_79B9_7F4A_7C15;
    const B: u64 = 0xD1B5_4A32_D192_ED03;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut hash = *SEED ^ (u64::from(kind) << 32) ^ name.len() as u64;
    let mut chunks = name.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk
            .iter()
            .rev()
            .fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        hash = fold(hash ^ word, A);
    }
    let rest = chunks.remainder();
    let word = rest
        .iter()
        .rev()
        .fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    fold(hash ^ word, B)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_use_the_alphabet_of_44_characters() {
        let code = |index| {
            let mut out = Vec::new();
            push_code(&mut out, index);
            String::from_utf8(out).unwrap()
        };
        for (index, expected) in [
            (0, "^0"),
            (10, "^:"),
            (11, "^;"),
            (43, "^["),
            (44, "^10"),
            (45, "^11"),
            (1935, "^[["),
        ] {
            assert_eq!(code(index), expected);
        }
    }

    #[test]
    fn the_numbering_starts_again_after_1936_strings() {
        let mut codes = KeyCodes::default();
        for i in 0..CAPACITY {
            assert!(
                matches!(codes.code(b':', &format!("key{i}")), Code::InFull),
                "{i}"
            );
        }
        assert!(matches!(codes.code(b':', "key1935"), Code::Index(1935)));
        assert!(matches!(codes.code(b'#', "key1935"), Code::InFull));
        assert!(matches!(codes.code(b'#', "key1935"), Code::Index(0)));
        assert!(matches!(codes.code(b':', "key1"), Code::InFull));
        assert!(matches!(codes.code(b':', "key1"), Code::Index(1)));
    }
}
