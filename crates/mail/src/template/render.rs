//! Renders a template. Pure: what it reads is what it is given.

use super::fault::Fault;
use super::helper::BlockHelper;
use super::tree::{Block, BlockKind, Expression, Node, Path, Program};
use super::value::{Val, escape};
use super::{Assets, Part};
use crate::helpers;
use crate::locale::{Locale, Zone};
use serde_json::Value as Json;
use tokio::time::{Duration, Instant};

/// Deepest nesting of blocks and partials.
const NESTING: usize = 32;
/// Most elements that one `each` goes through.
const ELEMENTS: usize = 10_000;
/// Most bytes that come out, and that helpers make on the way.
const OUTPUT: usize = 1024 * 1024;
/// Most nodes and expressions. Far above what a mail needs; it does not depend on the machine.
const STEPS: u32 = 400_000;
/// Longest time, looked at every [`LOOK`] steps.
const TIME: Duration = Duration::from_millis(250);
const LOOK: u32 = 256;

/// One rendering of one template.
pub(crate) struct Run<'a> {
    source: &'a str,
    pub(crate) part: Part,
    pub(crate) assets: &'a dyn Assets,
    root: &'a Json,
    frames: Vec<Frame<'a>>,
    partials: Vec<(&'a str, &'a Program)>,
    out: String,
    depth: usize,
    steps: u32,
    made: usize,
    deadline: Instant,
    /// Place of the tag at work.
    at: usize,
    /// What `set-locale` set.
    pub(crate) locale: Locale,
    /// What `set-timezone` set.
    pub(crate) zone: Zone,
    /// What `set-translations` set.
    pub(crate) translations: Vec<Val<'a>>,
}

/// A context that names are looked up in.
struct Frame<'a> {
    this: Val<'a>,
    /// Hash of a partial, names after `as`.
    locals: Vec<(&'a str, Val<'a>)>,
    each: Option<Each>,
}

#[derive(Clone)]
struct Each {
    index: usize,
    key: Option<String>,
    last: bool,
}

/// Renders the program.
pub(super) fn render<'a>(
    source: &'a str,
    program: &'a Program,
    part: Part,
    context: &'a Json,
    assets: &'a dyn Assets,
) -> Result<String, Fault> {
    let mut run = Run {
        source,
        part,
        assets,
        root: context,
        frames: vec![Frame {
            this: Val::Ref(context),
            locals: Vec::new(),
            each: None,
        }],
        partials: Vec::new(),
        out: String::new(),
        depth: 0,
        steps: 0,
        made: 0,
        deadline: Instant::now() + TIME,
        at: 0,
        locale: Locale::default(),
        zone: Zone::default(),
        translations: Vec::new(),
    };
    run.program(program)?;
    Ok(run.out)
}

impl<'a> Run<'a> {
    pub(crate) fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::at(self.source, self.at, reason)
    }

    /// Counts a step of the work.
    fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(self.fault("the template does too much work"));
        }
        if self.steps.is_multiple_of(LOOK) && Instant::now() > self.deadline {
            return Err(self.fault("the template takes too long"));
        }
        Ok(())
    }

    /// Counts bytes that a helper makes.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Fault> {
        self.made = self.made.saturating_add(bytes);
        if self.made > 8 * OUTPUT {
            return Err(self.fault("the template makes too much text"));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), Fault> {
        if self.out.len() + text.len() > OUTPUT {
            return Err(self.fault("the result is longer than 1 MB"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn program(&mut self, program: &'a Program) -> Result<(), Fault> {
        if self.depth >= NESTING {
            return Err(self.fault("blocks and partials are nested too deep"));
        }
        self.depth += 1;
        let known = self.partials.len();
        // A partial may be called before the place where it is written.
        for node in &program.body {
            if let Node::Inline { name, program, .. } = node {
                self.partials.push((name, program));
            }
        }
        for node in &program.body {
            self.node(node)?;
        }
        self.partials.truncate(known);
        self.depth -= 1;
        Ok(())
    }

    fn node(&mut self, node: &'a Node) -> Result<(), Fault> {
        self.step()?;
        match node {
            Node::Text(text) => self.write(&text.value),
            Node::Comment(_) | Node::Inline { .. } => Ok(()),
            Node::Value {
                expression,
                raw,
                at,
                ..
            } => {
                self.at = *at;
                let value = self.value(expression)?;
                let text = value.print();
                if *raw || self.part == Part::Subject || matches!(value, Val::Safe(_)) {
                    self.write(&text)
                } else {
                    self.write(&escape(&text))
                }
            }
            Node::Block(block) => {
                self.at = block.at;
                self.block(block)
            }
            Node::Partial {
                name,
                context,
                hash,
                indent,
                at,
                ..
            } => {
                self.at = *at;
                self.partial(name, context.as_ref(), hash, indent)
            }
        }
    }

    fn partial(
        &mut self,
        name: &str,
        context: Option<&'a Expression>,
        hash: &'a [(String, Expression)],
        indent: &str,
    ) -> Result<(), Fault> {
        let found = self.partials.iter().rev().find(|(known, _)| *known == name);
        let Some((_, program)) = found.copied() else {
            return Err(self.fault(format!("the partial {name} is not known here")));
        };
        let this = match context {
            Some(context) => self.value(context)?,
            None => self.this(),
        };
        let locals = self.hash(hash)?;
        let outside = std::mem::take(&mut self.out);
        let framed = context.is_some() || !hash.is_empty();
        if framed {
            self.frames.push(Frame {
                this,
                locals,
                each: None,
            });
        }
        self.program(program)?;
        if framed {
            self.frames.pop();
        }
        let inside = std::mem::replace(&mut self.out, outside);
        if indent.is_empty() {
            return self.write(&inside);
        }
        for line in inside.split_inclusive('\n') {
            self.write(indent)?;
            self.write(line)?;
        }
        Ok(())
    }

    fn block(&mut self, block: &'a Block) -> Result<(), Fault> {
        let (helper, parameters) = match &block.kind {
            BlockKind::Helper(helper, parameters) => (*helper, parameters),
            BlockKind::Section(path) => {
                let value = self.lookup(path);
                if value.is_empty() {
                    return self.inverse(block);
                }
                return match value.json() {
                    Some(Json::Array(_)) => self.each(block, &value),
                    Some(Json::Bool(_)) => self.program(&block.program),
                    _ => self.with(block, value),
                };
            }
        };
        let first = self.value(&parameters[0])?;
        match helper {
            BlockHelper::If if first.is_true() => self.program(&block.program),
            BlockHelper::Unless if !first.is_true() => self.program(&block.program),
            BlockHelper::If | BlockHelper::Unless => self.inverse(block),
            BlockHelper::With if first.is_empty() => self.inverse(block),
            BlockHelper::With => self.with(block, first),
            BlockHelper::Each => self.each(block, &first),
            BlockHelper::Eq | BlockHelper::Contains => {
                let second = self.value(&parameters[1])?;
                let holds = if helper == BlockHelper::Eq {
                    first.equals(&second)
                } else {
                    helpers::contains(&first, &second)
                };
                if holds {
                    self.program(&block.program)
                } else {
                    self.inverse(block)
                }
            }
        }
    }

    fn inverse(&mut self, block: &'a Block) -> Result<(), Fault> {
        match &block.inverse {
            Some(inverse) => self.program(inverse),
            None => Ok(()),
        }
    }

    fn with(&mut self, block: &'a Block, value: Val<'a>) -> Result<(), Fault> {
        let names = block.program.names.iter().take(1);
        let locals = names.map(|name| (name.as_str(), value.clone())).collect();
        self.frames.push(Frame {
            this: value,
            locals,
            each: None,
        });
        self.program(&block.program)?;
        self.frames.pop();
        Ok(())
    }

    fn each(&mut self, block: &'a Block, list: &Val<'a>) -> Result<(), Fault> {
        let entries = list.entries();
        if entries.len() > ELEMENTS {
            return Err(self.fault(format!("each goes through {ELEMENTS} elements at most")));
        }
        if entries.is_empty() {
            return self.inverse(block);
        }
        let count = entries.len();
        for (index, (key, value)) in entries.into_iter().enumerate() {
            self.step()?;
            let place = match key {
                Some(key) => Val::text(key),
                None => Val::own(index.into()),
            };
            let locals = block.program.names.iter().map(String::as_str);
            let locals = locals.zip([value.clone(), place]).collect();
            self.frames.push(Frame {
                this: value,
                locals,
                each: Some(Each {
                    index,
                    key: key.map(str::to_owned),
                    last: index + 1 == count,
                }),
            });
            self.program(&block.program)?;
            self.frames.pop();
        }
        Ok(())
    }

    /// The value of an expression.
    fn value(&mut self, expression: &'a Expression) -> Result<Val<'a>, Fault> {
        self.step()?;
        match expression {
            Expression::Literal(json) => Ok(Val::of(Some(json))),
            Expression::Path(path) => Ok(self.lookup(path)),
            Expression::Call(call) => {
                let mut parameters = Vec::with_capacity(call.parameters.len());
                for parameter in &call.parameters {
                    parameters.push(self.value(parameter)?);
                }
                let hash = self.hash(&call.hash)?;
                self.at = call.at;
                helpers::call(self, call.helper, &parameters, &hash, call.message.as_ref())
            }
        }
    }

    fn hash(&mut self, hash: &'a [(String, Expression)]) -> Result<Vec<(&'a str, Val<'a>)>, Fault> {
        let mut values = Vec::with_capacity(hash.len());
        for (key, expression) in hash {
            values.push((key.as_str(), self.value(expression)?));
        }
        Ok(values)
    }

    fn this(&self) -> Val<'a> {
        let frame = self.frames.last();
        frame.map_or(Val::Missing, |frame| frame.this.clone())
    }

    /// A name that the present context does not have is looked up in the contexts around it.
    fn lookup(&self, path: &Path) -> Val<'a> {
        if path.data {
            return self.data(path);
        }
        if path.local || path.up > 0 {
            let frame = self.frames.iter().rev().nth(path.up);
            return frame.map_or(Val::Missing, |frame| walk(frame.this.clone(), &path.parts));
        }
        let Some((first, rest)) = path.parts.split_first() else {
            return self.this();
        };
        for frame in self.frames.iter().rev() {
            let local = frame.locals.iter().rev().find(|(name, _)| name == first);
            if let Some((_, value)) = local {
                let value = walk(value.clone(), rest);
                if !value.is_missing() {
                    return value;
                }
            }
            let value = walk(frame.this.clone(), &path.parts);
            if !value.is_missing() {
                return value;
            }
        }
        Val::Missing
    }

    fn data(&self, path: &Path) -> Val<'a> {
        let Some((first, rest)) = path.parts.split_first() else {
            return Val::Missing;
        };
        if first == "root" {
            return walk(Val::Ref(self.root), rest);
        }
        let mut each = self.frames.iter().rev().filter_map(|f| f.each.as_ref());
        let Some(each) = each.nth(path.up) else {
            return Val::Missing;
        };
        match first.as_str() {
            "index" => Val::own(each.index.into()),
            "key" => match &each.key {
                Some(key) => Val::text(key),
                None => Val::own(each.index.into()),
            },
            "first" => Val::own(Json::Bool(each.index == 0)),
            "last" => Val::own(Json::Bool(each.last)),
            _ => Val::Missing,
        }
    }
}

fn walk<'a>(mut value: Val<'a>, parts: &[String]) -> Val<'a> {
    for part in parts {
        value = value.get(part);
    }
    value
}
