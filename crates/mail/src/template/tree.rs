//! A template as a tree.

use super::helper::{BlockHelper, Helper};
use serde_json::Value as Json;

/// A sequence of nodes: the whole template, or the body of a block.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) body: Vec<Node>,
    /// Names after `as |...|`.
    pub(super) names: Vec<String>,
}

/// Whether `~` stands at the left and at the right of a tag.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strip {
    pub(super) left: bool,
    pub(super) right: bool,
}

/// Text between tags.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// As it was written; whitespace rules look at it.
    pub(super) original: String,
    /// What is printed.
    pub(super) value: String,
    pub(super) left_stripped: bool,
    pub(super) right_stripped: bool,
}

/// A part of a program; `at` is the byte of its tag in the source.
#[derive(Debug)]
pub(super) enum Node {
    Text(Text),
    /// `{{...}}`.
    Value {
        expression: Expression,
        /// `{{{...}}}` or `{{&...}}`.
        raw: bool,
        strip: Strip,
        at: usize,
    },
    Block(Box<Block>),
    /// `{{> name context key=value}}`.
    Partial {
        name: String,
        context: Option<Expression>,
        hash: Vec<(String, Expression)>,
        strip: Strip,
        /// Whitespace before a partial that stands alone on its line; comes before each of its
        /// lines.
        indent: String,
        at: usize,
    },
    /// `{{#*inline "name"}}...{{/inline}}`.
    Inline {
        name: String,
        program: Program,
        open: Strip,
        close: Strip,
    },
    Comment(Strip),
}

/// `{{#kind subject}}...{{else}}...{{/kind}}`.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: BlockKind,
    pub(super) program: Program,
    pub(super) inverse: Option<Program>,
    /// The inverse is an `{{else if ..}}`, whose tag is the one of a block inside of it.
    pub(super) chained: bool,
    pub(super) open: Strip,
    pub(super) middle: Strip,
    pub(super) close: Strip,
    pub(super) at: usize,
}

/// What a block does.
#[derive(Debug)]
pub(super) enum BlockKind {
    Helper(BlockHelper, Vec<Expression>),
    /// `{{#path}}`: for each of a list, with an object, if anything else is true.
    Section(Path),
}

/// Something that has a value.
#[derive(Debug)]
pub(super) enum Expression {
    Literal(Json),
    Path(Path),
    Call(Box<Call>),
}

/// A helper with its parameters.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) helper: Helper,
    pub(super) parameters: Vec<Expression>,
    pub(super) hash: Vec<(String, Expression)>,
    /// Messages among the parameters that are literals, read once: the index and the message.
    pub(super) message: Option<crate::message::Message>,
    pub(super) at: usize,
}

/// A path to a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    /// How many `../` it begins with.
    pub(super) up: usize,
    /// It begins with `this` or `./`: enclosing contexts are not asked.
    pub(super) local: bool,
    /// It begins with `@`.
    pub(super) data: bool,
    pub(super) parts: Vec<String>,
}
