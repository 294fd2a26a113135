//! Reads a template.

use super::fault::Fault;
use super::helper::{BlockHelper, Helper};
use super::scan::Scan;
use super::tree::{Block, BlockKind, Expression, Node, Program, Strip, Text};
use super::whitespace;
use std::collections::HashSet;

/// Deepest nesting of blocks.
const NESTING: usize = 32;

/// Reads the whole template.
pub(super) fn parse(source: &str) -> Result<Program, Fault> {
    let mut parser = Parser {
        scan: Scan { source, at: 0 },
        partials: HashSet::new(),
        calls: Vec::new(),
    };
    let (mut root, end) = parser.program(0)?;
    match end {
        End::Source => {}
        End::Else { at, .. } => {
            return Err(Fault::at(source, at, "else stands outside of any block"));
        }
        End::Close { name, at, .. } => {
            let reason = format!("/{name} closes nothing");
            return Err(Fault::at(source, at, reason));
        }
    }
    for (name, at) in &parser.calls {
        if !parser.partials.contains(name) {
            let reason = format!("unknown partial: {name}");
            return Err(Fault::at(source, *at, reason));
        }
    }
    whitespace::control(&mut root);
    Ok(root)
}

struct Parser<'s> {
    scan: Scan<'s>,
    /// Names of the inline partials that there are.
    partials: HashSet<String>,
    /// Partials that are called, and where.
    calls: Vec<(String, usize)>,
}

/// What ended a program.
enum End {
    Source,
    Else {
        strip: Strip,
        /// `{{else if x}}`: behind `else` the tag goes on here.
        chained: bool,
        at: usize,
    },
    Close {
        name: String,
        strip: Strip,
        at: usize,
    },
}

impl Parser<'_> {
    fn program(&mut self, depth: usize) -> Result<(Program, End), Fault> {
        if depth > NESTING {
            return Err(self.scan.fault("blocks are nested too deep"));
        }
        let mut program = Program::default();
        loop {
            self.text(&mut program.body);
            if self.scan.rest().is_empty() {
                return Ok((program, End::Source));
            }
            if let Some(end) = self.tag(&mut program.body, depth)? {
                return Ok((program, end));
            }
        }
    }

    /// Text up to the next tag. `\{{` prints braces.
    fn text(&mut self, body: &mut Vec<Node>) {
        let mut push = |text: &str| {
            if !text.is_empty() {
                body.push(Node::Text(Text::new(text.to_owned())));
            }
        };
        loop {
            let rest = self.scan.rest();
            let Some(tag) = rest.find("{{") else {
                push(rest);
                self.scan.at += rest.len();
                return;
            };
            let before = &rest[..tag];
            if let Some(text) = before.strip_suffix("\\\\") {
                push(&format!("{text}\\"));
                self.scan.at += tag;
                return;
            }
            let Some(text) = before.strip_suffix('\\') else {
                push(before);
                self.scan.at += tag;
                return;
            };
            push(text);
            // As it is written, up to the next tag, which may be escaped as well.
            let inside = &rest[tag + 2..];
            let next = inside.find("{{").unwrap_or(inside.len());
            let next = inside[..next].trim_end_matches('\\').len();
            push(&rest[tag..tag + 2 + next]);
            self.scan.at += tag + 2 + next;
        }
    }

    /// One tag. It ends the program when it is an `else` or a close tag.
    fn tag(&mut self, body: &mut Vec<Node>, depth: usize) -> Result<Option<End>, Fault> {
        let at = self.scan.at;
        if self.scan.take("{{{{") {
            return Err(Fault::at(
                self.scan.source,
                at,
                "raw blocks are not part of the language",
            ));
        }
        self.scan.take("{{");
        let left = self.scan.take("~");
        if self.scan.take("!") {
            body.push(self.comment(left, at)?);
            return Ok(None);
        }
        if self.scan.take("{") {
            body.push(self.value(at, left, Some("}"))?);
            return Ok(None);
        }
        if self.scan.take("&") {
            body.push(self.value(at, left, Some(""))?);
            return Ok(None);
        }
        if self.scan.take("#") {
            let node = self.block(left, at, depth)?;
            body.push(node);
            return Ok(None);
        }
        if self.scan.take("/") {
            self.scan.blanks();
            let start = self.scan.at;
            self.scan.path()?;
            let name = self.scan.source[start..self.scan.at].to_owned();
            let right = self.scan.end("}}")?;
            let strip = Strip { left, right };
            return Ok(Some(End::Close { name, strip, at }));
        }
        if self.scan.take(">") {
            body.push(self.partial(left, at)?);
            return Ok(None);
        }
        if self.scan.take("^") {
            return self.inverse(body, left, at, depth);
        }
        self.scan.blanks();
        let start = self.scan.at;
        if self.scan.name() == Some("else") {
            let rest = self.scan.rest().trim_start();
            let ends = rest.starts_with("}}") || rest.starts_with("~}}");
            let right = if ends { self.scan.end("}}")? } else { false };
            // A field may be called else-where, but `else` alone is the word.
            let strip = Strip { left, right };
            return Ok(Some(End::Else {
                strip,
                chained: !ends,
                at,
            }));
        }
        self.scan.at = start;
        body.push(self.value(at, left, None)?);
        Ok(None)
    }

    fn comment(&mut self, left: bool, at: usize) -> Result<Node, Fault> {
        let rest = self.scan.rest();
        let missing = || Fault::at(self.scan.source, at, "the comment has no end");
        let (skip, right) = if rest.starts_with("--") {
            let plain = rest.find("--}}");
            let tilde = rest.find("--~}}");
            match (plain, tilde) {
                (Some(p), Some(t)) if t < p => (t + 5, true),
                (Some(p), _) => (p + 4, false),
                (None, Some(t)) => (t + 5, true),
                (None, None) => return Err(missing()),
            }
        } else {
            let end = rest.find("}}").ok_or_else(missing)?;
            (end + 2, rest[..end].ends_with('~'))
        };
        self.scan.at += skip;
        Ok(Node::Comment(Strip { left, right }))
    }

    /// A tag with a value. `raw`: what comes before the `}}` of an unescaped one.
    fn value(&mut self, at: usize, left: bool, raw: Option<&str>) -> Result<Node, Fault> {
        self.scan.blanks();
        let start = self.scan.at;
        let first = self.scan.expression(0)?;
        let simple = match &first {
            Expression::Path(path) if path.up == 0 && !path.local && !path.data => {
                match path.parts.as_slice() {
                    [name] => Some(name.clone()),
                    _ => None,
                }
            }
            _ => None,
        };
        let parameters = self.scan.parameters(0)?;
        let bare = parameters.0.is_empty() && parameters.1.is_empty();
        let block_only =
            |name: &String| Helper::named(name).is_none() && BlockHelper::named(name).is_some();
        let expression = match simple {
            Some(name) if block_only(&name) => {
                let reason = format!("{name} needs a body: {{{{#{name}}}}}");
                return Err(Fault::at(self.scan.source, start, reason));
            }
            Some(name) if !bare || Helper::named(&name).is_some() => {
                let call = self.scan.helper(&name, parameters, start)?;
                Expression::Call(Box::new(call))
            }
            _ if bare => first,
            _ => {
                let name = &self.scan.source[start..self.scan.at];
                let name = name.split_whitespace().next().unwrap_or_default();
                let reason = format!("unknown helper: {name}");
                return Err(Fault::at(self.scan.source, start, reason));
            }
        };
        let right = match raw {
            Some(brace) => {
                self.scan.blanks();
                if !self.scan.take(brace) {
                    return Err(self.scan.fault("expected }}}"));
                }
                let may = matches!(&expression, Expression::Call(c) if c.helper.may_be_raw());
                if !may {
                    let reason = "only t, format-text and asset may be printed without escaping";
                    return Err(Fault::at(self.scan.source, at, reason));
                }
                self.scan.end("}}")?
            }
            None => self.scan.end("}}")?,
        };
        Ok(Node::Value {
            expression,
            raw: raw.is_some(),
            strip: Strip { left, right },
            at,
        })
    }

    fn partial(&mut self, left: bool, at: usize) -> Result<Node, Fault> {
        self.scan.blanks();
        if self.scan.rest().starts_with('(') {
            return Err(self.scan.fault("the name of a partial must be written out"));
        }
        let name = self.partial_name()?;
        let (mut parameters, hash) = self.scan.parameters(0)?;
        if parameters.len() > 1 {
            return Err(Fault::at(
                self.scan.source,
                at,
                "a partial takes one context at most",
            ));
        }
        let right = self.scan.end("}}")?;
        self.calls.push((name.clone(), at));
        Ok(Node::Partial {
            name,
            context: parameters.pop(),
            hash,
            strip: Strip { left, right },
            indent: String::new(),
            at,
        })
    }

    fn partial_name(&mut self) -> Result<String, Fault> {
        let start = self.scan.at;
        match self.scan.expression(0)? {
            Expression::Literal(serde_json::Value::String(name)) => Ok(name),
            Expression::Path(_) | Expression::Literal(_) => {
                Ok(self.scan.source[start..self.scan.at].to_owned())
            }
            Expression::Call(_) => Err(self.scan.fault("expected the name of a partial")),
        }
    }

    /// `{{^}}` is an else; `{{^path}}` a block that is rendered when there is nothing.
    fn inverse(
        &mut self,
        body: &mut Vec<Node>,
        left: bool,
        at: usize,
        depth: usize,
    ) -> Result<Option<End>, Fault> {
        self.scan.blanks();
        let rest = self.scan.rest();
        if rest.starts_with("}}") || rest.starts_with("~}}") {
            let right = self.scan.end("}}")?;
            return Ok(Some(End::Else {
                strip: Strip { left, right },
                chained: false,
                at,
            }));
        }
        let (mut block, name) = self.head(left, at)?;
        let end = self.body(&mut block, depth)?;
        self.close(&name, &end, at)?;
        // What stands in the block is what is rendered without the value.
        let program = std::mem::take(&mut block.program);
        block.program = block.inverse.take().unwrap_or_default();
        block.inverse = Some(program);
        block.middle = Strip {
            left: false,
            right: block.open.right,
        };
        body.push(Node::Block(Box::new(block)));
        Ok(None)
    }

    fn block(&mut self, left: bool, at: usize, depth: usize) -> Result<Node, Fault> {
        if self.scan.take("*") {
            return self.inline(left, at, depth);
        }
        if self.scan.rest().starts_with('>') {
            let reason = "partials with a body are not part of the language";
            return Err(Fault::at(self.scan.source, at, reason));
        }
        let (mut block, name) = self.head(left, at)?;
        let end = self.body(&mut block, depth)?;
        self.close(&name, &end, at)?;
        Ok(Node::Block(Box::new(block)))
    }

    /// The open tag of a block, and the block's name.
    fn head(&mut self, left: bool, at: usize) -> Result<(Block, String), Fault> {
        self.scan.blanks();
        let start = self.scan.at;
        let path = self.scan.path()?;
        let name = self.scan.source[start..self.scan.at].to_owned();
        let (parameters, hash) = self.scan.parameters(0)?;
        let names = self.scan.block_names()?;
        let right = self.scan.end("}}")?;
        let fault = |reason: String| Fault::at(self.scan.source, start, reason);
        let kind = match BlockHelper::named(&name) {
            Some((_, count)) if parameters.len() != count => {
                return Err(fault(format!("{name} needs {count} parameters")));
            }
            Some((helper, _)) => BlockKind::Helper(helper, parameters),
            None if parameters.is_empty() && hash.is_empty() && Helper::named(&name).is_none() => {
                BlockKind::Section(path)
            }
            None => return Err(fault(format!("unknown helper: {name}"))),
        };
        let block = Block {
            kind,
            program: Program {
                names,
                ..Program::default()
            },
            inverse: None,
            chained: false,
            open: Strip { left, right },
            middle: Strip::default(),
            close: Strip::default(),
            at,
        };
        Ok((block, name))
    }

    /// The bodies of a block; gives the tag that closes it.
    fn body(&mut self, block: &mut Block, depth: usize) -> Result<End, Fault> {
        let (program, end) = self.program(depth + 1)?;
        block.program.body = program.body;
        let End::Else {
            strip,
            chained,
            at: else_at,
        } = end
        else {
            if let End::Close { strip, .. } = &end {
                block.close = *strip;
            }
            return Ok(end);
        };
        block.middle = strip;
        let (inverse, end) = if chained {
            // One close tag is for the whole chain.
            let (mut inner, _) = self.head(false, else_at)?;
            block.middle.right = inner.open.right;
            inner.open = Strip::default();
            let end = self.body(&mut inner, depth + 1)?;
            block.chained = true;
            let body = vec![Node::Block(Box::new(inner))];
            let program = Program {
                body,
                ..Program::default()
            };
            (program, end)
        } else {
            self.program(depth + 1)?
        };
        block.inverse = Some(inverse);
        if let End::Else { at, .. } = end {
            return Err(Fault::at(self.scan.source, at, "a second else"));
        }
        if let End::Close { strip, .. } = &end {
            block.close = *strip;
        }
        Ok(end)
    }

    fn close(&self, name: &str, end: &End, at: usize) -> Result<(), Fault> {
        match end {
            End::Close { name: closed, .. } if closed == name => Ok(()),
            End::Close {
                name: closed, at, ..
            } => Err(Fault::at(
                self.scan.source,
                *at,
                format!("/{closed} does not close #{name}"),
            )),
            End::Else { at, .. } => Err(Fault::at(self.scan.source, *at, "else is not expected")),
            End::Source => Err(Fault::at(
                self.scan.source,
                at,
                format!("#{name} is not closed"),
            )),
        }
    }

    fn inline(&mut self, left: bool, at: usize, depth: usize) -> Result<Node, Fault> {
        self.scan.blanks();
        let word = self.scan.name().unwrap_or_default();
        if word != "inline" {
            let reason = format!("unknown decorator: {word}");
            return Err(Fault::at(self.scan.source, at, reason));
        }
        self.scan.blanks();
        let name = self.partial_name()?;
        let right = self.scan.end("}}")?;
        let (program, end) = self.program(depth + 1)?;
        self.close("inline", &end, at)?;
        let close = match end {
            End::Close { strip, .. } => strip,
            _ => Strip::default(),
        };
        self.partials.insert(name.clone());
        Ok(Node::Inline {
            name,
            program,
            open: Strip { left, right },
            close,
        })
    }
}
