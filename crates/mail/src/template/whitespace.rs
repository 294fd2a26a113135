//! Whitespace around tags: `~` takes all of it away, and a tag that stands alone on its line takes
//! the line with it. Follows `whitespace-control.js` of Handlebars.

use super::tree::{Block, Node, Program, Strip, Text};

/// What a tag asks of its surroundings.
#[derive(Default)]
struct Wish {
    left: bool,
    right: bool,
    open_alone: bool,
    close_alone: bool,
    alone: bool,
}

/// Applies the rules to the whole template.
pub(super) fn control(root: &mut Program) {
    program(root, true);
}

fn program(program: &mut Program, is_root: bool) {
    for i in 0..program.body.len() {
        let wish = match &mut program.body[i] {
            Node::Text(_) => continue,
            Node::Value { strip, .. } => Wish {
                left: strip.left,
                right: strip.right,
                ..Wish::default()
            },
            Node::Comment(strip) | Node::Partial { strip, .. } => Wish {
                left: strip.left,
                right: strip.right,
                alone: true,
                ..Wish::default()
            },
            Node::Block(b) => block(b),
            Node::Inline {
                program,
                open,
                close,
                ..
            } => body(program, *open, *close),
        };
        apply(program, i, is_root, &wish);
    }
}

fn apply(program: &mut Program, i: usize, is_root: bool, wish: &Wish) {
    let body = &mut program.body;
    let before = blank_before(body, i, is_root);
    let after = blank_after(body, Some(i), is_root);
    if wish.right {
        omit_right(body.get_mut(i + 1), true);
    }
    if wish.left {
        omit_left(previous(body, i), true);
    }
    if wish.alone && before && after {
        omit_right(body.get_mut(i + 1), false);
        if omit_left(previous(body, i), false) {
            let indent = match previous(body, i) {
                Some(Node::Text(text)) => trailing_blanks(&text.original).to_owned(),
                _ => String::new(),
            };
            if let Node::Partial { indent: place, .. } = &mut body[i] {
                *place = indent;
            }
        }
    }
    if wish.open_alone && before {
        if let Some(first) = first_body(&mut body[i]) {
            omit_right(first.first_mut(), false);
        }
        omit_left(previous(body, i), false);
    }
    if wish.close_alone && after {
        omit_right(body.get_mut(i + 1), false);
        if let Some(last) = last_body(&mut body[i]) {
            omit_left(last.last_mut(), false);
        }
    }
}

fn block(b: &mut Block) -> Wish {
    program(&mut b.program, false);
    if let Some(inverse) = &mut b.inverse {
        program(inverse, false);
    }
    let open_alone = blank_after(&b.program.body, None, false);
    if b.open.right {
        omit_right(b.program.body.first_mut(), true);
    }
    let close_alone;
    if let Some(inverse) = &mut b.inverse {
        // Of a chain, the tag in the middle belongs to the block inside of the inverse.
        let chain = b.chained;
        close_alone = ends_blank(last_of_chain(inverse, chain));
        if b.middle.left {
            omit_left(b.program.body.last_mut(), true);
        }
        let first = first_of_chain(inverse, chain);
        if b.middle.right {
            omit_right(first.body.first_mut(), true);
        }
        if b.close.left {
            omit_left(last_of_chain(inverse, chain).body.last_mut(), true);
        }
        let ends = ends_blank(&b.program);
        let first = first_of_chain(inverse, chain);
        if ends && blank_after(&first.body, None, false) {
            omit_left(b.program.body.last_mut(), false);
            omit_right(first.body.first_mut(), false);
        }
    } else {
        close_alone = ends_blank(&b.program);
        if b.close.left {
            omit_left(b.program.body.last_mut(), true);
        }
    }
    Wish {
        left: b.open.left,
        right: b.close.right,
        open_alone,
        close_alone,
        alone: false,
    }
}

/// The body of an inline partial.
fn body(inner: &mut Program, open: Strip, close: Strip) -> Wish {
    program(inner, false);
    let open_alone = blank_after(&inner.body, None, false);
    let close_alone = ends_blank(inner);
    if open.right {
        omit_right(inner.body.first_mut(), true);
    }
    if close.left {
        omit_left(inner.body.last_mut(), true);
    }
    Wish {
        left: open.left,
        right: close.right,
        open_alone,
        close_alone,
        alone: false,
    }
}

fn first_of_chain(inverse: &mut Program, chained: bool) -> &mut Program {
    if chained && matches!(inverse.body.first(), Some(Node::Block(_))) {
        match inverse.body.first_mut() {
            Some(Node::Block(b)) => &mut b.program,
            _ => unreachable!("it was a block a line above"),
        }
    } else {
        inverse
    }
}

fn last_of_chain(inverse: &mut Program, chained: bool) -> &mut Program {
    if chained && matches!(inverse.body.first(), Some(Node::Block(_))) {
        match inverse.body.first_mut() {
            Some(Node::Block(b)) => {
                let Block {
                    program,
                    inverse,
                    chained,
                    ..
                } = &mut **b;
                match inverse {
                    Some(inner) => last_of_chain(inner, *chained),
                    None => program,
                }
            }
            _ => unreachable!("it was a block a line above"),
        }
    } else {
        inverse
    }
}

fn previous(body: &mut [Node], i: usize) -> Option<&mut Node> {
    i.checked_sub(1).and_then(|before| body.get_mut(before))
}

fn first_body(node: &mut Node) -> Option<&mut Vec<Node>> {
    match node {
        Node::Block(b) => Some(&mut b.program.body),
        Node::Inline { program, .. } => Some(&mut program.body),
        _ => None,
    }
}

fn last_body(node: &mut Node) -> Option<&mut Vec<Node>> {
    match node {
        Node::Block(b) => match &mut b.inverse {
            Some(inverse) => Some(&mut last_of_chain(inverse, b.chained).body),
            None => Some(&mut b.program.body),
        },
        Node::Inline { program, .. } => Some(&mut program.body),
        _ => None,
    }
}

/// Whether there is nothing but blanks between the line's start and node `i`.
fn blank_before(body: &[Node], i: usize, is_root: bool) -> bool {
    let Some(before) = i.checked_sub(1) else {
        return is_root;
    };
    let Node::Text(text) = &body[before] else {
        return false;
    };
    let rest = text.original.trim_end_matches(is_blank);
    // With nothing before it the text may begin the template.
    rest.ends_with('\n') || (rest.is_empty() && before == 0 && is_root)
}

/// Whether a program's last line is blank.
fn ends_blank(program: &Program) -> bool {
    blank_before(&program.body, program.body.len(), false)
}

/// Whether there is nothing but blanks between node `i`, or the start, and the line's end.
fn blank_after(body: &[Node], i: Option<usize>, is_root: bool) -> bool {
    let next = i.map_or(0, |i| i + 1);
    let Some(node) = body.get(next) else {
        return is_root;
    };
    let Node::Text(text) = node else {
        return false;
    };
    let rest = text.original.trim_start_matches(is_blank);
    rest.starts_with('\n')
        || rest.starts_with("\r\n")
        || (rest.is_empty() && next + 1 == body.len() && is_root)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() && c != '\n' && c != '\r'
}

fn omit_right(node: Option<&mut Node>, all: bool) {
    let Some(Node::Text(text)) = node else { return };
    if !all && text.right_stripped {
        return;
    }
    let old = text.value.len();
    let rest = if all {
        text.value.trim_start()
    } else {
        let rest = text.value.trim_start_matches([' ', '\t']);
        let rest = rest.strip_prefix('\r').unwrap_or(rest);
        rest.strip_prefix('\n').unwrap_or(rest)
    };
    text.value = rest.to_owned();
    text.right_stripped = text.value.len() != old;
}

fn omit_left(node: Option<&mut Node>, all: bool) -> bool {
    let Some(Node::Text(text)) = node else {
        return false;
    };
    if !all && text.left_stripped {
        return false;
    }
    let old = text.value.len();
    let rest = if all {
        text.value.trim_end()
    } else {
        text.value.trim_end_matches([' ', '\t'])
    };
    text.value = rest.to_owned();
    text.left_stripped = text.value.len() != old;
    text.left_stripped
}

fn trailing_blanks(text: &str) -> &str {
    &text[text.trim_end_matches([' ', '\t']).len()..]
}

impl Text {
    /// A text that nothing was taken from.
    pub(super) fn new(text: String) -> Self {
        Self {
            original: text.clone(),
            value: text,
            ..Self::default()
        }
    }
}
