//! Which format a request has and which one its answer gets.

/// A format of response bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `application/transit+json` in the compact mode with cache codes.
    Transit,
    /// `application/transit+json` in the verbose mode: maps are objects, no cache codes.
    TransitVerbose,
}

impl Format {
    /// The `Content-Type` of a response. The clients take a response for Transit only when it
    /// starts with exactly `application/transit+json`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Transit | Self::TransitVerbose => "application/transit+json;charset=utf-8",
        }
    }
}

/// What a request body says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// `application/transit+json`, either mode.
    Transit,
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// No content type at all; fine for an empty body.
    Missing,
    /// Anything else: 400 `unsupported-content-type`.
    Other,
}

/// Reads a `Content-Type` header; parameters are ignored.
pub fn request_kind(content_type: Option<&str>) -> RequestKind {
    let media_type = content_type
        .unwrap_or("")
        .split(';')
        .next()
        .unwrap_or("")
        .trim();
    let is = |name: &str| media_type.eq_ignore_ascii_case(name);
    if media_type.is_empty() {
        RequestKind::Missing
    } else if is("application/transit+json") {
        RequestKind::Transit
    } else if is("application/json") {
        RequestKind::Json
    } else if is("application/x-www-form-urlencoded") {
        RequestKind::Form
    } else if is("multipart/form-data") {
        RequestKind::Multipart
    } else {
        RequestKind::Other
    }
}

/// How well one media type is accepted: the most specific range that covers it counts.
#[derive(Clone, Copy, Default)]
struct Acceptance {
    /// 0 nothing said, 1 `*/*`, 2 `application/*`, 3 by name.
    specificity: u8,
    /// Quality in thousandths.
    quality: u16,
}

impl Acceptance {
    fn offer(&mut self, specificity: u8, quality: u16) {
        if specificity > self.specificity {
            *self = Self {
                specificity,
                quality,
            };
        }
    }
}

/// Chooses the response format from `Accept` and from whether `X-Transit-Verbose: true` is set.
///
/// Quality values count; on a tie Transit wins if it is named. Without an acceptable type the
/// answer is JSON, because a readable refusal helps more than a 406.
pub fn response_format(accept: Option<&str>, transit_verbose_header: bool) -> Format {
    let (mut transit, mut json) = (Acceptance::default(), Acceptance::default());
    for range in accept.unwrap_or("").split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let quality = parts.find_map(quality_parameter).unwrap_or(1000);
        if name.eq_ignore_ascii_case("application/transit+json") {
            transit.offer(3, quality);
        } else if name.eq_ignore_ascii_case("application/json") {
            json.offer(3, quality);
        } else if name.eq_ignore_ascii_case("application/*") {
            transit.offer(2, quality);
            json.offer(2, quality);
        } else if name == "*/*" {
            transit.offer(1, quality);
            json.offer(1, quality);
        }
    }
    let tie = transit.quality == json.quality && transit.specificity == 3 && transit.quality > 0;
    match (
        transit.quality > json.quality || tie,
        transit_verbose_header,
    ) {
        (true, true) => Format::TransitVerbose,
        (true, false) => Format::Transit,
        (false, _) => Format::Json,
    }
}

/// The thousandths of a `q=` parameter; nothing for other parameters and for nonsense.
fn quality_parameter(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let quality: f32 = value.trim().parse().ok()?;
    // The cast is exact enough: the value lies between 0 and 1000.
    (0.0..=1.0)
        .contains(&quality)
        .then(|| (quality * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: wire W9
    #[test]
    fn without_a_wish_for_transit_the_answer_is_json() {
        for accept in [
            None,
            Some(""),
            Some("*/*"),
            Some("application/*"),
            Some("application/json"),
            Some("text/html"),
            Some("text/html, */*;q=0.1"),
            Some("application/transit+json;q=0"),
            Some("application/transit+json;q=0, */*;q=0"),
            Some("*/*, application/transit+json;q=0.9"),
        ] {
            assert_eq!(response_format(accept, false), Format::Json, "{accept:?}");
            assert_eq!(response_format(accept, true), Format::Json, "{accept:?}");
        }
    }

    #[test]
    fn transit_is_chosen_when_named_and_not_worse() {
        for accept in [
            "application/transit+json",
            "APPLICATION/Transit+JSON; charset=utf-8",
            "application/json, application/transit+json",
            "application/transit+json, */*",
            "application/transit+json;q=0.5, application/json;q=0.5",
            "text/plain, application/json;q=0.4, application/transit+json;q=0.41",
        ] {
            assert_eq!(
                response_format(Some(accept), false),
                Format::Transit,
                "{accept}"
            );
            assert_eq!(
                response_format(Some(accept), true),
                Format::TransitVerbose,
                "{accept}"
            );
        }
        let worse = "application/transit+json;q=0.3, application/json;q=0.31";
        assert_eq!(response_format(Some(worse), false), Format::Json);
        let excluded = "application/json;q=0, application/*;q=0.2";
        assert_eq!(response_format(Some(excluded), false), Format::Transit);
    }

    #[test]
    fn both_transit_modes_begin_with_the_media_type_the_clients_look_for() {
        for format in [Format::Transit, Format::TransitVerbose] {
            assert!(
                format
                    .content_type()
                    .starts_with("application/transit+json")
            );
        }
        assert!(Format::Json.content_type().starts_with("application/json"));
    }

    // contract: wire W8
    #[test]
    fn content_types_are_recognised_with_any_parameters_and_case() {
        use RequestKind::*;
        for (header, kind) in [
            (Some("application/transit+json"), Transit),
            (Some("application/transit+json;charset=UTF-8"), Transit),
            (Some("Application/JSON ; charset=utf-8"), Json),
            (Some("application/x-www-form-urlencoded"), Form),
            (Some("multipart/form-data; boundary=x"), Multipart),
            (Some("text/plain"), Other),
            (Some("application/transit+msgpack"), Other),
            (Some(" "), Missing),
            (None, Missing),
        ] {
            assert_eq!(request_kind(header), kind, "{header:?}");
        }
    }
}
