//! The template language: Handlebars as the hosted service's templates are written in it.
//!
//! An interpreter of our own instead of the crate `handlebars`: names are looked up in every
//! enclosing context, and a template comes from an operator, so that nesting, steps, time and
//! output must have limits while it runs and every fault a place in the text.

mod fault;
mod helper;
mod parse;
mod render;
mod scan;
mod tag;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod whitespace;

pub use fault::Fault;
pub(crate) use helper::Helper;
pub(crate) use render::Run;
pub(crate) use tag::Tag;
pub(crate) use value::{Val, escape};

use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Longest source of a part, in bytes.
pub const SOURCE_MAX: usize = 512 * 1024;

/// Which part of a mail a template makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The HTML: values are escaped.
    Html,
    /// The subject: text, nothing is escaped.
    Subject,
}

/// The assets of a marketplace: texts, localization, colours.
pub trait Assets {
    /// The JSON at this path (`content/email-texts.json`), if there is any.
    fn asset(&self, path: &str) -> Option<&Json>;
}

impl Assets for BTreeMap<String, Json> {
    fn asset(&self, path: &str) -> Option<&Json> {
        self.get(path)
    }
}

/// A part of a mail that was read and checked.
#[derive(Debug)]
pub struct Template {
    source: String,
    part: Part,
    program: tree::Program,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`Fault`]: a syntax error, a helper or partial that there is not, a literal message that
    /// cannot be read, more than [`SOURCE_MAX`] bytes.
    pub fn parse(source: &str, part: Part) -> Result<Self, Fault> {
        if source.len() > SOURCE_MAX {
            return Err(Fault::at(source, 0, "the template is longer than 512 KB"));
        }
        Ok(Self {
            program: parse::parse(source)?,
            source: source.to_owned(),
            part,
        })
    }

    /// Renders it. Reads nothing but what it is given.
    ///
    /// # Errors
    /// [`Fault`] when it goes beyond a limit: 1 MB of output, 250 ms, 32 levels, 10,000 elements
    /// of one `each`.
    pub fn render(&self, context: &Json, assets: &dyn Assets) -> Result<String, Fault> {
        render::render(&self.source, &self.program, self.part, context, assets)
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }
}
