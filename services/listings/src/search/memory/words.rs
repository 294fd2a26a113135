//! The inverted index of words, with search by the beginning and the end of a word.
//!
//! A word is found by itself, and, when it is longer than three characters, by each of its
//! beginnings and ends of three characters or more. These parts are not stored: two sorted
//! dictionaries, of the words and of the words written backwards, hold them as ranges.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// Shortest part of a word that finds it.
const MIN_PART: usize = 3;
/// Score of a token that is the whole word.
const WHOLE: u8 = 100;
/// Score of a token that is a part of the word.
const PART: u8 = 10;

/// Where a word stands; the number is its weight, much smaller than the gap between a whole word
/// and a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Field {
    Title = 3,
    Description = 2,
    Extended = 1,
}

type WordId = u32;

#[derive(Default)]
pub(super) struct Words {
    forward: BTreeMap<Box<str>, WordId>,
    /// Words of more than three characters, backwards.
    backward: BTreeMap<Box<str>, WordId>,
    entries: Vec<Entry>,
    free: Vec<WordId>,
}

#[derive(Default)]
struct Entry {
    word: Box<str>,
    /// Slots in ascending order, each with the weight of the best field.
    slots: Vec<(u32, u8)>,
}

fn reversed(word: &str) -> Box<str> {
    word.chars().rev().collect::<String>().into()
}

/// True when the word has more than `n` characters.
fn longer_than(word: &str, n: usize) -> bool {
    word.chars().nth(n).is_some()
}

impl Words {
    /// Adds a document; gives the ids of its words, to remove it by.
    pub(super) fn add(&mut self, slot: u32, words: HashMap<String, Field>) -> Box<[WordId]> {
        words
            .into_iter()
            .map(|(word, field)| {
                let id = self.id_of(word);
                let slots = &mut self.entries[id as usize].slots;
                let at = slots.partition_point(|(other, _)| *other < slot);
                slots.insert(at, (slot, field as u8));
                id
            })
            .collect()
    }

    fn id_of(&mut self, word: String) -> WordId {
        if let Some(id) = self.forward.get(word.as_str()) {
            return *id;
        }
        let word: Box<str> = word.into();
        let entry = Entry {
            word: word.clone(),
            slots: Vec::new(),
        };
        let id = if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            id
        } else {
            self.entries.push(entry);
            WordId::try_from(self.entries.len() - 1).expect("fewer than 2^32 words")
        };
        if longer_than(&word, MIN_PART) {
            self.backward.insert(reversed(&word), id);
        }
        self.forward.insert(word, id);
        id
    }

    /// Removes a document.
    pub(super) fn remove(&mut self, slot: u32, words: &[WordId]) {
        for id in words {
            let entry = &mut self.entries[*id as usize];
            if let Ok(at) = entry.slots.binary_search_by_key(&slot, |(other, _)| *other) {
                entry.slots.remove(at);
            }
            if entry.slots.is_empty() {
                let entry = std::mem::take(entry);
                self.forward.remove(&entry.word);
                self.backward.remove(&reversed(&entry.word));
                self.free.push(*id);
            }
        }
    }

    /// Adds to the score of each document that a token finds: the best of its matches in it.
    /// `scores` has a place per slot.
    pub(super) fn score(&self, token: &str, scores: &mut [u32]) {
        let mut best = vec![0_u8; scores.len()];
        let mut note = |id: WordId, score: u8| {
            for (slot, field) in &self.entries[id as usize].slots {
                let place = &mut best[*slot as usize];
                *place = (*place).max(score + field);
            }
        };
        if let Some(id) = self.forward.get(token) {
            note(*id, WHOLE);
        }
        if longer_than(token, MIN_PART - 1) {
            let behind = reversed(token);
            for (dictionary, part) in [(&self.forward, token), (&self.backward, &*behind)] {
                let from_here =
                    dictionary.range::<str, _>((Bound::Included(part), Bound::Unbounded));
                for (word, id) in from_here.take_while(|(word, _)| word.starts_with(part)) {
                    // The forward dictionary has the short words too.
                    if word.len() > part.len() && longer_than(word, MIN_PART) {
                        note(*id, PART);
                    }
                }
            }
        }
        for (score, best) in scores.iter_mut().zip(best) {
            *score += u32::from(best);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(words: &[(&str, Field)], token: &str) -> u32 {
        let mut index = Words::default();
        index.add(
            0,
            words.iter().map(|(w, f)| ((*w).to_owned(), *f)).collect(),
        );
        let mut scores = [0];
        index.score(token, &mut scores);
        scores[0]
    }

    // contract: search S12
    #[test]
    fn a_word_is_found_by_its_beginnings_and_ends_but_not_by_its_middle() {
        let local = [("local", Field::Title)];
        assert_eq!(score(&local, "local"), 103);
        for part in ["loc", "loca", "ocal", "cal"] {
            assert_eq!(score(&local, part), 13, "{part}");
        }
        for other in ["oca", "lo", "al", "locals", "slocal"] {
            assert_eq!(score(&local, other), 0, "{other}");
        }
        assert_eq!(score(&[("abc", Field::Title)], "ab"), 0);
        assert_eq!(score(&[("日本語学", Field::Extended)], "日本語"), 11);
    }

    // contract: search S13
    #[test]
    fn a_whole_word_outweighs_every_part_and_the_title_the_rest() {
        let both = [("bike", Field::Extended), ("bikers", Field::Title)];
        assert_eq!(score(&both, "bike"), 101);
    }

    #[test]
    fn a_removed_document_leaves_nothing() {
        let mut index = Words::default();
        let word = || HashMap::from([("local".to_owned(), Field::Title)]);
        let first = index.add(0, word());
        let second = index.add(1, word());
        index.remove(0, &first);
        let mut scores = [0, 0];
        index.score("local", &mut scores);
        assert_eq!(scores, [0, 103]);
        index.remove(1, &second);
        assert!(index.forward.is_empty() && index.backward.is_empty());
        index.add(1, HashMap::from([("other".to_owned(), Field::Title)]));
        assert_eq!(index.entries.len(), 1);
    }
}
