//! The helpers that templates may use. The list is closed: everything else is refused at save.

/// A helper that gives a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Helper {
    Asset,
    Concat,
    Contains,
    Date,
    DateDayBefore,
    DateTransform,
    Eq,
    FormatText,
    FormEncode,
    HtmlTag,
    Inflect,
    MoneyAmount,
    Number,
    SetLocale,
    SetTimezone,
    SetTranslations,
    T,
    UrlEncode,
}

/// A helper with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockHelper {
    Contains,
    Each,
    Eq,
    If,
    Unless,
    With,
}

impl Helper {
    /// The helper of that name, and the fewest parameters that it works with.
    pub(crate) fn named(name: &str) -> Option<(Self, usize)> {
        Some(match name {
            "asset" => (Self::Asset, 1),
            "concat" => (Self::Concat, 0),
            "contains" => (Self::Contains, 2),
            "date" => (Self::Date, 1),
            "date-day-before" => (Self::DateDayBefore, 1),
            "date-transform" => (Self::DateTransform, 1),
            "eq" => (Self::Eq, 2),
            "format-text" => (Self::FormatText, 1),
            "form-encode" => (Self::FormEncode, 1),
            "html-tag" => (Self::HtmlTag, 1),
            "inflect" => (Self::Inflect, 3),
            "money-amount" => (Self::MoneyAmount, 1),
            "number" => (Self::Number, 1),
            "set-locale" => (Self::SetLocale, 0),
            "set-timezone" => (Self::SetTimezone, 0),
            "set-translations" => (Self::SetTranslations, 0),
            "t" => (Self::T, 1),
            "url-encode" => (Self::UrlEncode, 1),
            _ => return None,
        })
    }

    /// Which parameter is a message, where there is one.
    pub(crate) fn message_parameter(self) -> Option<usize> {
        match self {
            Self::T => Some(1),
            Self::FormatText => Some(0),
            _ => None,
        }
    }

    /// Whether its value may be printed without escaping.
    pub(crate) fn may_be_raw(self) -> bool {
        matches!(self, Self::T | Self::FormatText | Self::Asset)
    }
}

impl BlockHelper {
    /// The block helper of that name, and how many parameters it takes.
    pub(crate) fn named(name: &str) -> Option<(Self, usize)> {
        Some(match name {
            "contains" => (Self::Contains, 2),
            "each" => (Self::Each, 1),
            "eq" => (Self::Eq, 2),
            "if" => (Self::If, 1),
            "unless" => (Self::Unless, 1),
            "with" => (Self::With, 1),
            _ => return None,
        })
    }
}
