//! The public reference templates, when they lie beside the checkout, rendered beside Handlebars
//! with the same helpers.

use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use stoa_mail::builtin;
use stoa_mail::template::{Part, Template};

const PROCESSES: &[&str] = &[
    "cli-test-process",
    "default-booking",
    "default-download",
    "default-inquiry",
    "default-negotiation",
    "default-purchase",
];

struct Source {
    name: String,
    part: Part,
    text: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/processes")
}

fn needed(path: &Path, error: &std::io::Error) -> ! {
    let path = path.display();
    panic!("the reference templates are needed for conformance: {path}: {error}")
}

fn templates() -> Vec<Source> {
    let mut found = Vec::new();
    for process in PROCESSES {
        let folder = folder().join(process).join("templates");
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| needed(&folder, &error));
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            for (part, end) in [(Part::Html, "html.html"), (Part::Subject, "subject.txt")] {
                let file = path.join(format!("{name}-{end}"));
                let text =
                    std::fs::read_to_string(&file).unwrap_or_else(|error| needed(&file, &error));
                let name = format!("{process}/{name}");
                found.push(Source { name, part, text });
            }
        }
    }
    found
}

/// Values that take the templates through their branches.
fn contexts() -> Vec<Json> {
    let base = builtin::transaction_sample();
    let line = |code: &str, more: Json| {
        let mut line = json!({
            "code": code, "include-for": ["customer", "provider"], "reversal": false,
            "unit-price": {"amount": 1045.5, "currency": "USD"},
            "line-total": {"amount": 2091, "currency": "USD"}, "quantity": 2,
        });
        line.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        line
    };
    let commission = |who: &str| {
        let total = json!({"amount": -209.1, "currency": "USD"});
        let code = format!("line-item/{who}-commission");
        line(
            &code,
            json!({"include-for": [who], "line-total": total, "percentage": -10, "quantity": null}),
        )
    };
    let mut contexts = vec![base.clone()];
    for code in ["hour", "day", "night", "fixed", "item", "request", "offer"] {
        for (seats, role) in [(false, "customer"), (true, "provider")] {
            let mut context = base.clone();
            context["recipient-role"] = role.into();
            let recipient = context["transaction"][role].clone();
            context["recipient"] = recipient.clone();
            let extra = if seats {
                json!({"seats": 3, "units": 2})
            } else {
                json!({"units": 1, "quantity": 1})
            };
            let code = format!("line-item/{code}");
            context["transaction"]["tx-line-items"] = json!([
                line(&code, extra),
                line("line-item/shipping-fee", json!({})),
                line("line-item/pickup-fee", json!({})),
                commission("provider"),
                commission("customer"),
            ]);
            context["transaction"]["protected-data"] = json!({
                "deliveryMethod": if seats { "shipping" } else { "pickup" },
                "unitType": if seats { "item" } else { "offer" },
                "priceVariantName": if seats { json!("Large <one>") } else { Json::Null },
                "inquiryMessage": "Is it \"free\"?\nYes & no.",
                "shippingDetails": {"name": "Ada", "address": {"line1": "1 Row", "city": "London"}},
            });
            context["transaction"]["reviews"] = json!([
                {"content": "Fine & <good>", "subject": recipient},
                {"content": "Also", "subject": {"id": "somebody"}},
            ]);
            if !seats {
                context["transaction"]["listing"]["availability-plan"] = Json::Null;
                context["transaction"]["delayed-transition"] = Json::Null;
            }
            context["transaction"]["listing"]["title"] = "Bike & \"sidecar\" O'Neill".into();
            contexts.push(context);
        }
    }
    let path = folder().join("cli-test-process/sample-context.json");
    let sample = std::fs::read_to_string(&path).unwrap_or_else(|error| needed(&path, &error));
    contexts.push(serde_json::from_str(&sample).unwrap());
    contexts
}

fn assets() -> Vec<Json> {
    vec![
        json!({}),
        json!({
            "content/email-texts.json": {
                "BookingNewRequest.Title": "Uusi varaus: {listingTitle}",
                "BookingNewRequest.Subject": "{customerDisplayName} {customerDisplayName, select, other {varasi}}",
                "TransactionEmails.MembershipParagraph": "Olet jäsen: {marketplaceName}.",
            },
            "general/localization.json": {"locale": "fi_FI"},
            "design/branding.json": {"marketplaceColors": {"notificationPrimaryButton": "#123456"}},
        }),
    ]
}

/// What Handlebars makes of each order.
fn handlebars(orders: &[Json]) -> Vec<Json> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    assert!(
        folder.join("node_modules/handlebars").exists(),
        "handlebars is needed: `cargo xtask test --only conformance` installs it, or by hand: \
         npm ci in {}",
        folder.display()
    );
    let mut node = Command::new("node")
        .arg("render.js")
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = node.stdin.take().unwrap();
    let text = serde_json::to_vec(orders).unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&text));
    let out = node.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(out.status.success());
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Node's data of CLDR is of another year, and separates by other spaces.
fn same_spaces(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ")
}

// contract: operator N1
#[test]
fn every_reference_template_is_read() {
    let templates = templates();
    assert_eq!(templates.len(), 190);
    for Source { name, part, text } in templates {
        if let Err(fault) = Template::parse(&text, part) {
            panic!("{name}: {fault}\n{}", fault.evidence);
        }
    }
}

// contract: operator N1, N2, N5
#[test]
fn every_reference_template_says_what_handlebars_says() {
    let (templates, contexts, assets) = (templates(), contexts(), assets());
    let mut orders = Vec::new();
    let mut ours = Vec::new();
    for Source { name, part, text } in &templates {
        let template = Template::parse(text, *part).unwrap();
        for (c, context) in contexts.iter().enumerate() {
            // Both with the first values, else one or the other.
            let either = |(a, _): &(usize, &Json)| c == 0 || c % 2 == *a;
            for (a, assets) in assets.iter().enumerate().filter(either) {
                orders.push(
                    json!({"source": text, "part": part, "context": context, "assets": assets}),
                );
                let known: BTreeMap<String, Json> = serde_json::from_value(assets.clone()).unwrap();
                let rendered = template.render(context, &known);
                ours.push((
                    format!("{name} {part:?}, context {c}, assets {a}"),
                    rendered.unwrap(),
                ));
            }
        }
    }
    let theirs = handlebars(&orders);
    assert_eq!(theirs.len(), ours.len());
    let mut different = Vec::new();
    for ((place, ours), theirs) in ours.iter().zip(&theirs) {
        let Some(theirs) = theirs.as_str() else {
            different.push(format!("{place}: {theirs}"));
            continue;
        };
        let (ours, theirs) = (same_spaces(ours), same_spaces(theirs));
        if ours != theirs {
            let line = ours.lines().zip(theirs.lines()).find(|(a, b)| a != b);
            different.push(format!("{place}: {line:#?}"));
        }
    }
    let count = different.len();
    // One of each template.
    different.dedup_by_key(|text| text.split(',').next().unwrap_or_default().to_owned());
    different.truncate(20);
    assert!(
        different.is_empty(),
        "{count} of {} differ:\n{}",
        ours.len(),
        different.join("\n")
    );
}
