//! What an endpoint hands back, and how it is written.

use super::include::{self, Document, Include};
use super::{Fields, Resource};
use crate::service::Gateway;
use std::collections::HashMap;
use stoa_codec::params::Query;
use stoa_codec::{Format, Writer};
use stoa_proto::types::PageMeta;
use stoa_rpc::{Credentials, Problem, Problems};
use stoa_types::Timestamp;

/// How the client wants to see the answer.
#[derive(Debug, Default)]
pub(crate) struct Presentation {
    pub include: Include,
    pub fields: Fields,
    /// Most items of a to-many relationship, by its name or path.
    pub limits: HashMap<String, usize>,
    pub expand: bool,
}

impl Presentation {
    /// Takes the shared parameters out of a query.
    pub(crate) fn take(query: &mut Query) -> Self {
        let paths: Vec<String> = query.optional("include").unwrap_or_default();
        let include = Include::parse(paths.iter().map(String::as_str)).unwrap_or_else(|| {
            query.invalid("include", "must not be deeper than 3 levels");
            Include::default()
        });
        let mut limits = HashMap::new();
        for (path, text) in query.with_prefix("limit.") {
            match text.parse::<usize>() {
                Ok(limit) => {
                    limits.insert(path, limit);
                }
                Err(_) => query.invalid(format!("limit.{path}"), "must be a whole number"),
            }
        }
        let fields = Fields::new(query.with_prefix("fields."));
        for (name, spec) in query.with_prefix("imageVariant.") {
            if !is_image_variant(&spec) {
                let why = "must be w and h of 1 to 3072, and fit as crop or scale";
                query.invalid(format!("imageVariant.{name}"), why);
            }
        }
        let expand = query.optional("expand").unwrap_or(false);
        Self {
            include,
            fields,
            limits,
            expand,
        }
    }
}

/// `w:640;h:480;fit:crop`; unknown keys are ignored.
fn is_image_variant(spec: &str) -> bool {
    let (mut width, mut height, mut fit) = (None, None, true);
    for (key, value) in spec.split(';').filter_map(|part| part.split_once(':')) {
        match key {
            "w" => width = value.parse::<u32>().ok(),
            "h" => height = value.parse::<u32>().ok(),
            "fit" => fit = matches!(value, "crop" | "scale"),
            _ => {}
        }
    }
    let in_range = |side: Option<u32>| side.is_some_and(|n| (1..=3072).contains(&n));
    fit && in_range(width) && in_range(height)
}

/// The answer of an endpoint.
pub(crate) struct Answer {
    content: Content,
    presentation: Presentation,
}

enum Content {
    One(Box<Resource>),
    Many(Vec<Resource>, PageMeta),
    /// The id and type of what a command changed.
    Reference(Box<Resource>),
    Clock(Timestamp),
}

impl Answer {
    /// One resource in full.
    pub(crate) fn one(resource: Resource, presentation: Presentation) -> Self {
        Self {
            content: Content::One(Box::new(resource)),
            presentation,
        }
    }

    /// A page of resources.
    pub(crate) fn many(
        resources: impl IntoIterator<Item = Resource>,
        meta: Option<PageMeta>,
        presentation: Presentation,
    ) -> Self {
        let content = Content::Many(resources.into_iter().collect(), meta.unwrap_or_default());
        Self {
            content,
            presentation,
        }
    }

    /// What a command changed: in full when the client asked to expand it, else its reference.
    pub(crate) fn command(resource: Resource, presentation: Presentation) -> Self {
        let resource = Box::new(resource);
        let content = if presentation.expand {
            Content::One(resource)
        } else {
            Content::Reference(resource)
        };
        Self {
            content,
            presentation,
        }
    }

    /// What a command would change; the same rule.
    pub(crate) fn speculative(resource: Resource, presentation: Presentation) -> Self {
        Self::command(resource, presentation)
    }

    /// The same answer without attributes, whatever was asked.
    #[must_use]
    pub(crate) fn reference_only(mut self) -> Self {
        if let Content::One(resource) = self.content {
            self.content = Content::Reference(resource);
        }
        self
    }

    /// The domain time after the virtual clock moved.
    pub(crate) fn clock(now: Timestamp, presentation: Presentation) -> Self {
        Self {
            content: Content::Clock(now),
            presentation,
        }
    }

    /// Completes the answer with what is included and writes it.
    pub(crate) async fn write(
        self,
        gateway: &Gateway,
        credentials: &Credentials,
        format: Format,
    ) -> Result<Vec<u8>, Problems> {
        let show = &self.presentation;
        let (roots, meta, many) = match self.content {
            Content::Clock(now) => {
                let mut w = Writer::new(format);
                w.map().key_map("data").key_keyword("type", "clock");
                w.key_instant("now", now).end_map().end_map();
                return finish(w);
            }
            Content::Reference(resource) => {
                let mut w = Writer::new(format);
                w.map().key("data");
                resource.write_reference(&mut w);
                w.end_map();
                return finish(w);
            }
            Content::One(resource) => (vec![*resource], None, false),
            Content::Many(resources, meta) => (resources, Some(meta), true),
        };
        let document = include::compose(gateway, credentials, roots, show).await?;
        let mut w = Writer::with_capacity(format, 512 + document.len() * 512);
        write_document(&mut w, &document, many, meta, show);
        finish(w)
    }
}

fn write_document(
    w: &mut Writer,
    document: &Document,
    many: bool,
    meta: Option<PageMeta>,
    show: &Presentation,
) {
    w.map().key("data");
    if many {
        w.array();
    }
    for node in &document.roots {
        node.write(w, &show.fields);
    }
    if many {
        w.end_array();
    }
    if !show.include.is_empty() {
        w.key_array("included");
        for node in document.included.values() {
            node.write(w, &show.fields);
        }
        w.end_array();
    }
    if let Some(meta) = meta {
        let per_page = u64::from(meta.per_page.max(1));
        let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        w.key_map("meta")
            .key_integer("totalItems", int(meta.total_items))
            .key_integer("totalPages", int(meta.total_items.div_ceil(per_page)))
            .key_integer("page", i64::from(meta.page))
            .key_integer("perPage", i64::from(meta.per_page))
            .end_map();
    }
    w.end_map();
}

/// Stored JSON was checked when it came in; damage is ours, not the client's.
fn finish(w: Writer) -> Result<Vec<u8>, Problems> {
    w.finish().map_err(|error| {
        tracing::error!(%error, "A stored JSON text is damaged");
        Problem::internal().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: listings L29
    #[test]
    fn image_variants_have_both_sides_within_bounds() {
        for good in [
            "w:400;h:300;fit:crop",
            "h:1;w:3072",
            "w:1;h:1;fit:scale;quality:5",
        ] {
            assert!(is_image_variant(good), "{good}");
        }
        for bad in [
            "w:4000;h:10;fit:crop",
            "w:0;h:1",
            "w:5",
            "",
            "w:a;h:b",
            "w:5;h:5;fit:stretch",
        ] {
            assert!(!is_image_variant(bad), "{bad}");
        }
    }
}
