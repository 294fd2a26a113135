//! Writes EDN on one line.

use super::{Node, Value};
use std::fmt::Write;

/// The text of a node on one line; reading it gives an equal node.
pub fn print(node: &Node) -> String {
    let mut out = String::new();
    write_node(&mut out, node, false);
    out
}

/// A text that is the same for equal values: entries of maps and sets are sorted.
pub(super) fn canonical(node: &Node) -> String {
    let mut out = String::new();
    write_node(&mut out, node, true);
    out
}

fn write_node(out: &mut String, node: &Node, sorted: bool) {
    let all = |out: &mut String, open: &str, items: &[Node], close: char, sort: bool| {
        let mut texts: Vec<String> = items.iter().map(|item| text(item, sorted)).collect();
        if sort {
            texts.sort_unstable();
        }
        out.push_str(open);
        out.push_str(&texts.join(" "));
        out.push(close);
    };
    match &node.value {
        Value::Nil => out.push_str("nil"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) => write_string(out, text),
        Value::Keyword(keyword) => {
            out.push(':');
            out.push_str(keyword.as_str());
        }
        Value::Vector(items) => all(out, "[", items, ']', false),
        Value::List(items) => all(out, "(", items, ')', false),
        Value::Set(items) => all(out, "#{", items, '}', sorted),
        Value::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| {
                format!("{} {}", text(key, sorted), text(value, sorted))
            };
            let mut texts: Vec<String> = entries.iter().map(entry).collect();
            if sorted {
                texts.sort_unstable();
            }
            out.push('{');
            out.push_str(&texts.join(" "));
            out.push('}');
        }
    }
}

fn text(node: &Node, sorted: bool) -> String {
    let mut out = String::new();
    write_node(&mut out, node, sorted);
    out
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
