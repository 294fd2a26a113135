//! Answers for people: a table for a page of resources, lines for one.

use super::table::Column;
use serde_json::Value;
use std::fmt::Write as _;

/// Widest cell of a table, in characters.
const WIDEST: usize = 60;

/// An answer as text. `columns` say what of each resource stands in a table.
pub(super) fn answer(answer: &Value, columns: &[Column]) -> String {
    match &answer["data"] {
        Value::Array(rows) => {
            let mut text = table(rows, columns);
            let meta = &answer["meta"];
            if let (Some(page), Some(pages), Some(total)) = (
                meta["page"].as_i64(),
                meta["totalPages"].as_i64(),
                meta["totalItems"].as_i64(),
            ) {
                // Writing to a text cannot fail.
                let _ = writeln!(text, "Page {page} of {pages}, {total} in all.");
            }
            text
        }
        Value::Null => format!("{answer:#}\n"),
        data => lines(data),
    }
}

fn table(rows: &[Value], columns: &[Column]) -> String {
    let columns: Vec<Column> = if columns.is_empty() {
        vec![("ID", "id"), ("TYPE", "type")]
    } else {
        columns.to_vec()
    };
    let mut cells: Vec<Vec<String>> =
        vec![columns.iter().map(|(head, _)| (*head).to_owned()).collect()];
    for row in rows {
        cells.push(
            columns
                .iter()
                .map(|(_, path)| cut(&at(row, path)))
                .collect(),
        );
    }
    let widths: Vec<usize> = (0..columns.len())
        .map(|i| {
            cells
                .iter()
                .map(|row| row[i].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// One resource: its id, then its attributes, a line each.
fn lines(data: &Value) -> String {
    let mut text = String::new();
    for name in ["type", "id"] {
        if let Some(value) = data[name].as_str() {
            let _ = writeln!(text, "{name}: {}", clean(value));
        }
    }
    write_map(&mut text, &data["attributes"], "");
    for (name, value) in data.as_object().into_iter().flatten() {
        let is_known = ["type", "id", "attributes", "relationships"].contains(&name.as_str());
        if !is_known {
            let _ = writeln!(text, "{name}: {}", plain(value));
        }
    }
    text
}

fn write_map(text: &mut String, map: &Value, before: &str) {
    for (name, value) in map.as_object().into_iter().flatten() {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                write_map(text, value, &format!("{before}{name}."));
            }
            _ => {
                let _ = writeln!(text, "{before}{name}: {}", plain(value));
            }
        }
    }
}

/// What stands at a path of a resource: `id`, or a path below its attributes.
fn at(row: &Value, path: &str) -> String {
    if path == "id" || path == "type" {
        return plain(&row[path]);
    }
    let found = path
        .split('.')
        .fold(&row["attributes"], |value, key| &value[key]);
    plain(found)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clean(text),
        other => clean(&other.to_string()),
    }
}

/// Without what moves the cursor of a terminal: texts are those of other people.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WIDEST {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(WIDEST - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_is_a_table_and_one_resource_is_lines() {
        let row = |id: &str, name: &str| {
            json!({ "id": id, "type": "user",
                    "attributes": { "email": "a@b.c", "profile": { "displayName": name } } })
        };
        let columns = &[
            ("ID", "id"),
            ("NAME", "profile.displayName"),
            ("GONE", "x.y"),
        ];
        let page = json!({
            "data": [row("1", "Ada"), row("2", "A\u{1b}[31mB")],
            "meta": { "page": 1, "totalPages": 1, "totalItems": 2, "perPage": 100 },
        });
        assert_eq!(
            answer(&page, columns),
            "ID  NAME     GONE\n1   Ada\n2   A [31mB\nPage 1 of 1, 2 in all.\n"
        );
        assert_eq!(
            answer(&json!({ "data": row("1", "Ada") }), columns),
            "type: user\nid: 1\nemail: a@b.c\nprofile.displayName: Ada\n"
        );
        let long = json!({ "data": [row("1", &"x".repeat(99))] });
        assert!(answer(&long, columns).contains('…'));
    }
}
