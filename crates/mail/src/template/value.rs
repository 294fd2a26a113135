//! Values while a template is rendered.

use super::tag::Tag;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::rc::Rc;

/// A value of the context, of an asset, or one that a helper made.
#[derive(Clone, Debug)]
pub(crate) enum Val<'a> {
    /// There is none.
    Missing,
    /// A part of the context, of an asset or of the template.
    Ref(&'a Json),
    /// What a helper made.
    Own(Rc<Json>),
    /// Text that is printed without escaping.
    Safe(Rc<str>),
    /// A tag for a message.
    Tag(Rc<Tag>),
}

impl<'a> Val<'a> {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Own(Rc::new(Json::String(text.into())))
    }

    pub(crate) fn own(json: Json) -> Self {
        Self::Own(Rc::new(json))
    }

    pub(crate) fn of(json: Option<&'a Json>) -> Self {
        match json {
            None | Some(Json::Null) => Self::Missing,
            Some(json) => Self::Ref(json),
        }
    }

    pub(crate) fn json(&self) -> Option<&Json> {
        match self {
            Self::Ref(json) => Some(json),
            Self::Own(json) => Some(json),
            Self::Missing | Self::Safe(_) | Self::Tag(_) => None,
        }
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing) || matches!(self.json(), Some(Json::Null))
    }

    /// The field, the element or nothing.
    pub(crate) fn get(&self, key: &str) -> Self {
        fn child<'j>(json: &'j Json, key: &str) -> Option<&'j Json> {
            match json {
                Json::Object(fields) => fields.get(key),
                Json::Array(items) => items.get(key.parse::<usize>().ok()?),
                _ => None,
            }
        }
        if key == "length"
            && let Some(Json::Array(items)) = self.json()
        {
            return Self::own(items.len().into());
        }
        match self {
            Self::Ref(json) => Self::of(child(json, key)),
            Self::Own(json) => match child(json, key) {
                None | Some(Json::Null) => Self::Missing,
                Some(json) => Self::own(json.clone()),
            },
            Self::Missing | Self::Safe(_) | Self::Tag(_) => Self::Missing,
        }
    }

    /// The elements of a list, each with its place; the fields of an object, each with its key.
    pub(crate) fn entries(&self) -> Vec<(Option<&str>, Self)> {
        match self {
            Self::Ref(Json::Array(items)) => items.iter().map(|i| (None, Self::Ref(i))).collect(),
            Self::Ref(Json::Object(fields)) => {
                let entry =
                    |(key, value): (&'a String, &'a Json)| (Some(key.as_str()), Self::Ref(value));
                fields.iter().map(entry).collect()
            }
            Self::Own(json) => match &**json {
                Json::Array(items) => items.iter().map(|i| (None, Self::own(i.clone()))).collect(),
                Json::Object(fields) => fields
                    .iter()
                    .map(|(key, value)| (Some(key.as_str()), Self::own(value.clone())))
                    .collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// False, nothing, 0, an empty text and an empty list are not true.
    pub(crate) fn is_true(&self) -> bool {
        !self.is_empty() && self.json().and_then(Json::as_f64) != Some(0.0)
    }

    /// As [`Val::is_true`], but 0 is something.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Safe(text) => text.is_empty(),
            Self::Tag(_) => false,
            Self::Ref(_) | Self::Own(_) => match self.json() {
                None | Some(Json::Null | Json::Bool(false)) => true,
                Some(Json::String(text)) => text.is_empty(),
                Some(Json::Array(items)) => items.is_empty(),
                Some(_) => false,
            },
        }
    }

    /// Equal texts, numbers of equal value, equal anything else of the same kind.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        if self.is_missing() || other.is_missing() {
            return self.is_missing() && other.is_missing();
        }
        if let (Some(a), Some(b)) = (self.str(), other.str()) {
            return a == b;
        }
        match (self.json(), other.json()) {
            (Some(Json::Number(a)), Some(Json::Number(b))) => a == b || a.as_f64() == b.as_f64(),
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }

    pub(crate) fn str(&self) -> Option<&str> {
        match self {
            Self::Safe(text) => Some(text),
            _ => self.json().and_then(Json::as_str),
        }
    }

    /// As it is printed: numbers without a needless `.0`, lists with commas, objects as nothing.
    pub(crate) fn print(&self) -> Cow<'_, str> {
        if let Some(text) = self.str() {
            return Cow::Borrowed(text);
        }
        self.json()
            .map_or(Cow::Borrowed(""), |json| Cow::Owned(print(json, 0)))
    }
}

fn print(json: &Json, depth: usize) -> String {
    match json {
        Json::Null | Json::Object(_) => String::new(),
        Json::Bool(flag) => flag.to_string(),
        Json::String(text) => text.clone(),
        Json::Number(number) => match number.as_f64() {
            // As JavaScript has it: 2.0 is 2.
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e21 => {
                format!("{float:.0}")
            }
            _ => number.to_string(),
        },
        Json::Array(_) if depth > 8 => String::new(),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| print(item, depth + 1)).collect();
            items.join(",")
        }
    }
}

/// Text for HTML: `& < > " ' \` =` become entities.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    let special = |c| matches!(c, '&' | '<' | '>' | '"' | '\'' | '`' | '=');
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            '`' => out.push_str("&#x60;"),
            '=' => out.push_str("&#x3D;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}
