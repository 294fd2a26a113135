//! What an operator may make of a built-in mail.

use stoa_mail::InvalidTemplate;
use stoa_mail::builtin::Builtin;
use stoa_mail::template::Part;
use stoa_proto::auth::{self as pb, UpdateBuiltinEmailRequest};
use stoa_types::{Problem, Problems, SourceKind};

/// Longest template of a subject, in characters.
const LONGEST_SUBJECT: usize = 1000;
/// Longest template of an HTML part, in bytes: ten of them travel with every change of the settings.
const LONGEST_HTML: usize = 64 * 1024;

/// The mail that a request names, when its values are good; the templates themselves are not read
/// yet.
///
/// # Errors
/// Everything that is wrong, 400 each.
pub(crate) fn check(request: &UpdateBuiltinEmailRequest) -> Result<Builtin, Problems> {
    let invalid = |key: &'static str, why: &str| {
        Problem::invalid_value(SourceKind::Body, vec![key.into()], why)
    };
    let mut found = Vec::new();
    let mail = Builtin::named(&request.name);
    if mail.is_none() {
        found.push(invalid("name", "must be the name of a built-in mail"));
    }
    if request.enabled == Some(false) && mail.is_some_and(|mail| !mail.may_be_disabled()) {
        found.push(invalid("enabled", "this mail cannot be switched off"));
    }
    let text = |patch: &Option<pb::TextPatch>| patch.as_ref().and_then(|patch| patch.text.clone());
    if let Some(subject) = text(&request.subject)
        && (subject.trim().is_empty()
            || subject.chars().count() > LONGEST_SUBJECT
            || subject.contains('\0'))
    {
        found.push(invalid("subject", "must have 1 to 1000 characters"));
    }
    if let Some(html) = text(&request.html)
        && (html.trim().is_empty() || html.len() > LONGEST_HTML || html.contains('\0'))
    {
        found.push(invalid("html", "must have 1 to 65536 bytes"));
    }
    Problems::check(found)?;
    mail.ok_or_else(|| Problem::internal().into())
}

/// Reads the given templates and tries them with the sample values of the mail. Takes up to half a
/// second of a processor.
///
/// # Errors
/// 400 `invalid-template` for each part that is at fault, with its place.
pub(crate) fn try_templates(
    mail: Builtin,
    subject: Option<&str>,
    html: Option<&str>,
) -> Result<(), Problems> {
    let (own_subject, own_html) = mail.sources();
    // The parts know nothing of each other, so what is not given may be our own.
    match mail.check(subject.unwrap_or(own_subject), html.unwrap_or(own_html)) {
        Ok(_) => Ok(()),
        Err(faults) => Problems::check(faults.iter().map(problem).collect()),
    }
}

/// What the mail is after a request.
pub(crate) fn merge(
    present: Option<&pb::BuiltinEmail>,
    request: &UpdateBuiltinEmailRequest,
) -> pb::BuiltinEmail {
    let mut mail = present.cloned().unwrap_or_else(|| unchanged(&request.name));
    if let Some(enabled) = request.enabled {
        mail.enabled = enabled;
    }
    if let Some(subject) = &request.subject {
        mail.subject.clone_from(&subject.text);
    }
    if let Some(html) = &request.html {
        mail.html.clone_from(&html.text);
    }
    mail
}

/// A mail as operators see it. `changed` is what they made of it, where they made something.
pub(crate) fn view(mail: Builtin, changed: Option<&pb::BuiltinEmail>) -> pb::BuiltinEmailView {
    let (subject, html) = mail.sources();
    pb::BuiltinEmailView {
        email: Some(changed.cloned().unwrap_or_else(|| unchanged(mail.name()))),
        may_be_disabled: mail.may_be_disabled(),
        default_subject: subject.trim_end_matches('\n').to_owned(),
        default_html: html.to_owned(),
    }
}

/// A mail as it is delivered.
pub(crate) fn unchanged(name: &str) -> pb::BuiltinEmail {
    pb::BuiltinEmail {
        name: name.to_owned(),
        enabled: true,
        subject: None,
        html: None,
    }
}

fn problem(fault: &InvalidTemplate) -> Problem {
    let part = match fault.template_part {
        Part::Html => "html",
        Part::Subject => "subject",
    };
    let place = &fault.fault;
    Problem::new(400, "invalid-template", "The template is not valid")
        .at(SourceKind::Body, vec![part.into()])
        .details(place.to_string())
        .meta("templateName", fault.template_name.as_str())
        .meta("templatePart", part)
        .meta("reason", place.reason.as_str())
        .meta("evidence", place.evidence.as_str())
        .meta("line", place.line.to_string())
        .meta("column", place.column.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> UpdateBuiltinEmailRequest {
        UpdateBuiltinEmailRequest {
            name: name.into(),
            ..UpdateBuiltinEmailRequest::default()
        }
    }

    fn text(text: &str) -> Option<pb::TextPatch> {
        let text = Some(text.to_owned());
        Some(pb::TextPatch { text })
    }

    fn paths(problems: &Problems) -> Vec<String> {
        let found = problems.as_slice().iter();
        found
            .map(|problem| format!("{:?}", problem.source.as_ref().unwrap().path))
            .collect()
    }

    // contract: users section 7 (off)
    #[test]
    fn only_mails_that_nobody_needs_can_be_switched_off() {
        let off = |mail: &Builtin| UpdateBuiltinEmailRequest {
            enabled: Some(false),
            ..request(mail.name())
        };
        let can: Vec<&str> = stoa_mail::builtin::ALL
            .iter()
            .filter(|mail| check(&off(mail)).is_ok())
            .map(|mail| mail.name())
            .collect();
        assert_eq!(
            can,
            [
                "verify-email-address",
                "user-joined",
                "user-approved",
                "user-permissions-changed",
                "listing-approved",
                "new-message"
            ]
        );
        for mail in stoa_mail::builtin::ALL {
            let on = UpdateBuiltinEmailRequest {
                enabled: Some(true),
                ..request(mail.name())
            };
            assert_eq!(check(&on).unwrap(), *mail);
        }
    }

    #[test]
    fn bad_values_are_told_with_their_path() {
        let bad = UpdateBuiltinEmailRequest {
            subject: text(" "),
            html: text(&"x".repeat(64 * 1024 + 1)),
            ..request("no-such-mail")
        };
        let paths = paths(&check(&bad).unwrap_err()).join(" ");
        for key in ["name", "subject", "html"] {
            assert!(paths.contains(key), "{paths}");
        }
        let back = UpdateBuiltinEmailRequest {
            subject: Some(pb::TextPatch { text: None }),
            ..request("user-joined")
        };
        assert!(check(&back).is_ok());
    }

    #[test]
    fn each_part_that_is_at_fault_is_told_with_its_place() {
        let mail = Builtin::UserJoined;
        assert_eq!(
            try_templates(mail, None, Some("Hi {{recipient.first-name}}")),
            Ok(())
        );
        let faults = try_templates(mail, Some("{{#if}}"), Some("one\n{{nothing \"x\"}}"));
        let faults = faults.unwrap_err();
        assert_eq!(faults.status(), 400);
        assert_eq!(faults.as_slice().len(), 2);
        for fault in faults.as_slice() {
            assert_eq!(fault.code, "invalid-template");
            let keys: Vec<_> = fault.meta.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(
                keys,
                [
                    "templateName",
                    "templatePart",
                    "reason",
                    "evidence",
                    "line",
                    "column"
                ]
            );
        }
        let html = &faults.as_slice()[0];
        let line = html.meta.iter().find(|(key, _)| key == "line").unwrap();
        assert_eq!(
            (paths(&faults)[0].contains("html"), line.1.as_str()),
            (true, "2")
        );
    }

    #[test]
    fn what_is_not_given_stays_and_null_is_our_own_text() {
        let first = UpdateBuiltinEmailRequest {
            subject: text("Hi"),
            ..request("user-joined")
        };
        let first = merge(None, &first);
        assert_eq!(
            (
                first.enabled,
                first.subject.as_deref(),
                first.html.as_deref()
            ),
            (true, Some("Hi"), None)
        );
        let second = UpdateBuiltinEmailRequest {
            enabled: Some(false),
            html: text("<p>Hi</p>"),
            ..request("user-joined")
        };
        let second = merge(Some(&first), &second);
        assert_eq!(
            (second.enabled, second.subject.as_deref()),
            (false, Some("Hi"))
        );
        let third = UpdateBuiltinEmailRequest {
            enabled: Some(true),
            subject: Some(pb::TextPatch { text: None }),
            html: Some(pb::TextPatch { text: None }),
            ..request("user-joined")
        };
        assert_eq!(merge(Some(&second), &third), unchanged("user-joined"));
    }
}
