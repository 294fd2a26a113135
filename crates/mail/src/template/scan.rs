//! What stands between `{{` and `}}`: paths, literals, parameters.

use super::fault::Fault;
use super::helper::Helper;
use super::tree::{Call, Expression, Path};
use crate::message::Message;
use serde_json::Value as Json;

/// Deepest nesting of sub-expressions.
const NESTING: usize = 32;
/// Most segments of a path.
const SEGMENTS: usize = 64;

/// Reads the source from one place on.
pub(super) struct Scan<'s> {
    pub(super) source: &'s str,
    pub(super) at: usize,
}

/// Parameters and hash of a tag.
pub(super) type Parameters = (Vec<Expression>, Vec<(String, Expression)>);

impl<'s> Scan<'s> {
    pub(super) fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    pub(super) fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::at(self.source, self.at, reason)
    }

    pub(super) fn blanks(&mut self) {
        self.at = self.source.len() - self.rest().trim_start().len();
    }

    /// Goes past this text if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    /// Goes past the end of a tag; says whether `~` stands before it.
    pub(super) fn end(&mut self, close: &str) -> Result<bool, Fault> {
        self.blanks();
        let tilde = self.take("~");
        if self.take(close) {
            return Ok(tilde);
        }
        if self.rest().is_empty() {
            return Err(self.fault(format!("the tag has no end, {close} is missing")));
        }
        Err(self.fault(format!("expected {close}")))
    }

    fn ends(&self) -> bool {
        let rest = self.rest().trim_start();
        let rest = rest.strip_prefix('~').unwrap_or(rest);
        rest.is_empty() || rest.starts_with('}') || rest.starts_with(')') || rest.starts_with('|')
    }

    /// A name: what a path's segment may consist of.
    pub(super) fn name(&mut self) -> Option<&'s str> {
        let rest = self.rest();
        let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        self.at += end;
        (end > 0).then(|| &rest[..end])
    }

    /// Parameters, then `key=value`, up to the end of the tag or `as |`.
    pub(super) fn parameters(&mut self, depth: usize) -> Result<Parameters, Fault> {
        let (mut parameters, mut hash) = (Vec::new(), Vec::new());
        loop {
            self.blanks();
            if self.ends() || self.names_follow() {
                return Ok((parameters, hash));
            }
            if let Some(key) = self.key() {
                hash.push((key, self.expression(depth)?));
            } else if hash.is_empty() {
                parameters.push(self.expression(depth)?);
            } else {
                return Err(self.fault("a parameter must come before key=value"));
            }
        }
    }

    /// `key=`, if that comes next.
    fn key(&mut self) -> Option<String> {
        let start = self.at;
        let key = if self.rest().starts_with('[') {
            self.bracketed().ok()
        } else {
            self.name().map(str::to_owned)
        };
        if let Some(key) = key {
            self.blanks();
            if self.take("=") {
                self.blanks();
                return Some(key);
            }
        }
        self.at = start;
        None
    }

    fn names_follow(&self) -> bool {
        let rest = self.rest().strip_prefix("as").map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with('|'))
    }

    /// The names after `as |`, if any.
    pub(super) fn block_names(&mut self) -> Result<Vec<String>, Fault> {
        self.blanks();
        let mut names = Vec::new();
        if !self.names_follow() {
            return Ok(names);
        }
        self.take("as");
        self.blanks();
        self.take("|");
        loop {
            self.blanks();
            if self.take("|") {
                return Ok(names);
            }
            let name = self.name();
            names.push(
                name.ok_or_else(|| self.fault("expected a name"))?
                    .to_owned(),
            );
        }
    }

    /// A literal, a path or a sub-expression.
    pub(super) fn expression(&mut self, depth: usize) -> Result<Expression, Fault> {
        self.blanks();
        if depth > NESTING {
            return Err(self.fault("expressions are nested too deep"));
        }
        let start = self.at;
        match self.rest().chars().next() {
            Some('(') => {
                self.at += 1;
                let call = self.call(depth + 1, start)?;
                self.blanks();
                if !self.take(")") {
                    return Err(self.fault("expected )"));
                }
                Ok(Expression::Call(Box::new(call)))
            }
            Some(quote @ ('"' | '\'')) => self.string(quote).map(Expression::Literal),
            _ => {
                if let Some(literal) = self.literal() {
                    return Ok(Expression::Literal(literal));
                }
                self.path().map(Expression::Path)
            }
        }
    }

    /// A helper with its parameters, inside of parentheses.
    fn call(&mut self, depth: usize, at: usize) -> Result<Call, Fault> {
        self.blanks();
        let name = self.name();
        let name = name.ok_or_else(|| self.fault("expected the name of a helper"))?;
        let parameters = self.parameters(depth)?;
        self.helper(name, parameters, at)
    }

    /// The helper of that name with these parameters.
    pub(super) fn helper(
        &self,
        name: &str,
        (parameters, hash): Parameters,
        at: usize,
    ) -> Result<Call, Fault> {
        let fault = |reason: String| Fault::at(self.source, at, reason);
        let (helper, fewest) =
            Helper::named(name).ok_or_else(|| fault(format!("unknown helper: {name}")))?;
        if parameters.len() < fewest {
            return Err(fault(format!("{name} needs {fewest} parameters")));
        }
        let literal = helper
            .message_parameter()
            .and_then(|index| parameters.get(index));
        let message = match literal {
            Some(Expression::Literal(Json::String(text))) => Some(
                Message::parse(text)
                    .map_err(|bad| fault(format!("{name}: the message cannot be read: {bad}")))?,
            ),
            _ => None,
        };
        Ok(Call {
            helper,
            parameters,
            hash,
            message,
            at,
        })
    }

    fn string(&mut self, quote: char) -> Result<Json, Fault> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(c) = rest.chars().next() else {
                return Err(Fault::at(self.source, start, "the string has no end"));
            };
            self.at += c.len_utf8();
            if c == quote {
                return Ok(Json::String(text));
            }
            if c == '\\' && self.take(quote.encode_utf8(&mut [0; 4])) {
                text.push(quote);
            } else {
                text.push(c);
            }
        }
    }

    /// A number, `true`, `false`, `null` or `undefined`.
    fn literal(&mut self) -> Option<Json> {
        let start = self.at;
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(is_name(c) || c == '.'))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        // A name may begin with a digit, as `{{#with 1st}}`; only a whole number is one.
        let is_number = word
            .strip_prefix('-')
            .unwrap_or(word)
            .split('.')
            .all(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            && word.matches('.').count() <= 1;
        let literal = match word {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            "null" | "undefined" => Json::Null,
            _ if is_number => word
                .parse::<i64>()
                .map(Json::from)
                .or_else(|_| word.parse::<f64>().map(Json::from))
                .ok()?,
            _ => return None,
        };
        let after = rest[length..].chars().next();
        if after.is_some_and(|c| !(c.is_whitespace() || "=~})|".contains(c))) {
            return None;
        }
        self.at = start + length;
        Some(literal)
    }

    /// A path such as `a.b`, `../a`, `this`, `@index`, `a.[b c]`.
    pub(super) fn path(&mut self) -> Result<Path, Fault> {
        let mut path = Path {
            data: self.take("@"),
            ..Path::default()
        };
        loop {
            let start = self.at;
            if self.take("..") {
                if !path.parts.is_empty() {
                    return Err(Fault::at(
                        self.source,
                        start,
                        "../ may stand at the beginning only",
                    ));
                }
                path.up += 1;
            } else if self.take(".") {
                path.local = true;
            } else if self.rest().starts_with('[') {
                path.parts.push(self.bracketed()?);
            } else if let Some(name) = self.name() {
                if name == "this" && path.parts.is_empty() && !path.data {
                    path.local = true;
                } else {
                    path.parts.push(name.to_owned());
                }
            } else {
                return Err(self.fault("expected a name"));
            }
            if path.parts.len() + path.up > SEGMENTS {
                return Err(self.fault("the path is too long"));
            }
            let here = self.at;
            if !(self.take("/") || self.take(".")) {
                return Ok(path);
            }
            // `../` and `.` alone may end a path: `{{#with ../}}`.
            let more = self.rest().chars().next();
            if path.parts.is_empty() && more.is_none_or(|c| !(is_name(c) || ".[".contains(c))) {
                self.at = here + 1;
                return Ok(path);
            }
        }
    }

    /// `[any text]`.
    fn bracketed(&mut self) -> Result<String, Fault> {
        let rest = self.rest();
        let Some(end) = rest.find(']') else {
            return Err(self.fault("expected ]"));
        };
        self.at += end + 1;
        Ok(rest[1..end].to_owned())
    }
}

/// Whether a name may hold this character.
fn is_name(c: char) -> bool {
    !c.is_whitespace() && !"!\"#%&'()*+,./;<=>@[\\]^`{|}~".contains(c)
}
