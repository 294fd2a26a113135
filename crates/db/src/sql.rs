//! A statement with its values. Dynamic text is put together here and nowhere else.

use crate::value::{Bind, Value};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use std::borrow::Cow;

/// Most values of one statement. SQLite allows 32 766, but looks a `$n` up by walking over all
/// before it: that many take seconds, these some ten milliseconds. Send more in several statements.
pub(crate) const MAX_VALUES: usize = 4096;

/// A statement with `$1`, `$2`, ... and the values for them.
#[derive(Clone, Debug)]
pub struct Sql {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

/// A statement with this text. Only a literal is taken, so no input can become SQL.
pub fn sql(text: &'static str) -> Sql {
    Sql {
        text: Cow::Borrowed(text),
        values: Vec::new(),
    }
}

impl Sql {
    /// Gives the next placeholder its value.
    #[must_use]
    pub fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(value.value());
        self
    }

    /// Gives the next placeholders these values, one each.
    #[must_use]
    pub fn bind_list<T: Bind>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.values.extend(values.into_iter().map(T::value));
        self
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The text for the driver. Safe: it consists of literals of the program and of `$n`.
    pub(crate) fn sql_str(&self) -> SqlStr {
        AssertSqlSafe(self.text.clone()).into_sql_str()
    }

    /// Whether running it can change rows, judged by its first word; wrong only towards "yes".
    pub(crate) fn may_write(&self) -> bool {
        !self.begins_with(&["select"])
    }

    /// Whether it is plainly made to change rows.
    pub(crate) fn is_change(&self) -> bool {
        self.begins_with(&["insert", "update", "delete"])
    }

    fn begins_with(&self, words: &[&str]) -> bool {
        let first = self.text.trim_start().get(..6).unwrap_or_default();
        words.iter().any(|word| word.eq_ignore_ascii_case(first))
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        sql(text)
    }
}

/// Builds a statement whose shape depends on the request: filters, `IN` lists, multi-row `VALUES`.
///
/// ```
/// # use stoa_db::SqlBuilder;
/// let (author, states) = (Some("7c1"), ["draft", "published"]);
/// let mut q = SqlBuilder::new("SELECT id FROM listings WHERE state IN ");
/// q.push_list(states);
/// if let Some(author) = author {
///     q.push(" AND author_id = ").push_bind(author);
/// }
/// q.push(" ORDER BY id");
/// assert_eq!(
///     q.text(),
///     "SELECT id FROM listings WHERE state IN ($1, $2) AND author_id = $3 ORDER BY id"
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct SqlBuilder {
    text: String,
    values: Vec<Value>,
}

impl SqlBuilder {
    /// Begins with this text.
    pub fn new(text: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            values: Vec::new(),
        }
    }

    /// Adds text, as it is.
    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds the name of a table that this crate made up.
    pub(crate) fn push_table(&mut self, table: &str) -> &mut Self {
        self.text.push_str(table);
        self
    }

    /// Adds a placeholder and its value.
    pub fn push_bind(&mut self, value: impl Bind) -> &mut Self {
        self.values.push(value.value());
        self.text.push('$');
        self.text.push_str(&self.values.len().to_string());
        self
    }

    /// Adds `($n, $n, ...)`. An empty list becomes `(NULL)`, so that `IN` matches nothing; do not
    /// put one behind `NOT IN`, which would match nothing too.
    pub fn push_list<T: Bind>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        self.text.push('(');
        let mut empty = true;
        for value in values {
            if !empty {
                self.text.push_str(", ");
            }
            empty = false;
            self.push_bind(value);
        }
        self.text.push_str(if empty { "NULL)" } else { ")" });
        self
    }

    /// Adds `($n, $n), ($n, $n), ...` for a multi-row `VALUES`; `row` turns an item into its
    /// values. The caller sees to it that there is at least one item.
    pub fn push_rows<T, const N: usize>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut row: impl FnMut(T) -> [Value; N],
    ) -> &mut Self {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.text.push_str(", ");
            }
            self.text.push('(');
            for (j, value) in row(item).into_iter().enumerate() {
                if j > 0 {
                    self.text.push_str(", ");
                }
                self.push_bind(value);
            }
            self.text.push(')');
        }
        self
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The statement.
    pub fn build(self) -> Sql {
        Sql {
            text: Cow::Owned(self.text),
            values: self.values,
        }
    }
}

impl From<SqlBuilder> for Sql {
    fn from(builder: SqlBuilder) -> Self {
        builder.build()
    }
}

/// A value that is already one, as [`SqlBuilder::push_rows`] makes them.
impl Bind for Value {
    fn value(self) -> Value {
        self
    }
    /// NULL of type TEXT; bind a typed `None` where the column is of another type.
    fn null() -> Value {
        Value::Text(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_matches_nothing() {
        let mut q = SqlBuilder::new("SELECT 1 WHERE 1 IN ");
        q.push_list(Vec::<i64>::new());
        assert_eq!(q.text(), "SELECT 1 WHERE 1 IN (NULL)");
    }

    #[test]
    fn rows_are_numbered_through() {
        let mut q = SqlBuilder::new("INSERT INTO t VALUES ");
        q.push_rows([(1_i64, "a"), (2, "b")], |(n, s)| [n.value(), s.value()]);
        assert_eq!(q.text(), "INSERT INTO t VALUES ($1, $2), ($3, $4)");
        assert_eq!(q.build().values().len(), 4);
    }

    #[test]
    fn only_a_select_is_known_to_write_nothing() {
        assert!(!sql("\n  select 1").may_write());
        for text in ["WITH x AS (SELECT 1) DELETE FROM t", "UPDATE t", "é", ""] {
            assert!(sql(text).may_write(), "{text}");
        }
    }
}
