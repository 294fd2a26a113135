//! What may be said of a new application.

use crate::domain::application::Kind;
use std::collections::HashSet;
use stoa_policy::{Action, Level};
use stoa_proto::auth::CreateApplicationRequest;
use stoa_types::{Problem, Problems, SourceKind};

/// Longest name, in characters.
const LONGEST_NAME: usize = 100;
/// Most redirect URIs.
const MOST_URIS: usize = 20;
/// Longest redirect URI, in bytes.
const LONGEST_URI: usize = 2000;

/// Everything that is wrong with a request, or its kind.
pub(crate) fn check(request: &CreateApplicationRequest) -> Result<Kind, Problems> {
    let mut found = Vec::new();
    let mut invalid = |path: Vec<stoa_types::PathItem>, why: &str| {
        found.push(Problem::invalid_value(SourceKind::Body, path, why));
    };
    let kind = Kind::from_name(&request.kind);
    if kind.is_none() {
        invalid(
            vec!["kind".into()],
            "must be marketplace, integration or internal",
        );
    }
    let name = &request.name;
    if name.trim().is_empty()
        || name.chars().count() > LONGEST_NAME
        || name.chars().any(char::is_control)
    {
        invalid(
            vec!["name".into()],
            "must have 1 to 100 characters, none of them a control",
        );
    }
    if kind.is_some_and(|kind| kind != Kind::Marketplace) {
        if !request.redirect_uris.is_empty() {
            invalid(
                vec!["redirectUris".into()],
                "is for marketplace applications",
            );
        }
        if request.trusted.is_some() {
            invalid(vec!["trusted".into()], "is for marketplace applications");
        }
    }
    if request.redirect_uris.len() > MOST_URIS {
        invalid(vec!["redirectUris".into()], "must have at most 20 entries");
    }
    for (i, uri) in request.redirect_uris.iter().enumerate().take(MOST_URIS) {
        if !is_redirect_uri(uri) {
            let why = "must be an absolute https address without user part and fragment; \
                       http for the own machine only";
            invalid(vec!["redirectUris".into(), i.into()], why);
        }
    }
    match kind {
        Some(Kind::Internal) if request.actions.is_empty() => {
            invalid(vec!["actions".into()], "must name at least one action");
        }
        Some(Kind::Internal) => {
            let mut seen = HashSet::new();
            for (i, name) in request.actions.iter().enumerate() {
                if !is_open_to_programs(name) {
                    let why = "is not an action that an internal application may do";
                    invalid(vec!["actions".into(), i.into()], why);
                } else if !seen.insert(name) {
                    invalid(vec!["actions".into(), i.into()], "is there twice");
                }
            }
        }
        _ if request.actions.is_empty() => {}
        Some(Kind::Marketplace | Kind::Integration) => {
            invalid(vec!["actions".into()], "is for internal applications");
        }
        None => {}
    }
    match kind {
        Some(kind) if found.is_empty() => Ok(kind),
        _ => Err(Problems::check(found)
            .err()
            .unwrap_or_else(|| Problem::internal().into())),
    }
}

/// Whether an internal application may name this action: policy opens it to the level, and an RPC
/// takes it from programs.
fn is_open_to_programs(name: &str) -> bool {
    Action::from_name(name).is_some_and(|action| {
        action.rule().levels.contains(Level::Service)
            && stoa_proto::METHODS
                .iter()
                .any(|method| method.action == name && method.callers.contains(&"client"))
    })
}

/// An address that a browser may be sent to (RFC 6749 section 3.1.2, narrowed to http).
fn is_redirect_uri(text: &str) -> bool {
    let plain = text.len() <= LONGEST_URI
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'\\' | b'"' | b'<' | b'>'));
    let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return false,
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or("", |(host, _)| host),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let local = matches!(host, "localhost" | "127.0.0.1" | "::1");
    plain && !host.is_empty() && !authority.contains('@') && (secure || local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::PathItem;

    fn request(kind: &str) -> CreateApplicationRequest {
        CreateApplicationRequest {
            kind: kind.into(),
            name: "Robot".into(),
            redirect_uris: Vec::new(),
            trusted: None,
            actions: Vec::new(),
        }
    }

    fn paths(request: &CreateApplicationRequest) -> Vec<Vec<PathItem>> {
        let problems = check(request).unwrap_err();
        let found = problems.as_slice().iter();
        found.map(|p| p.source.clone().unwrap().path).collect()
    }

    // contract: operator applications/create
    #[test]
    fn each_kind_takes_what_is_its_own() {
        let full = CreateApplicationRequest {
            redirect_uris: vec!["https://market.example/api/login-as".into()],
            trusted: Some(false),
            ..request("marketplace")
        };
        assert_eq!(check(&full), Ok(Kind::Marketplace));
        assert_eq!(check(&request("integration")), Ok(Kind::Integration));
        for kind in ["integration", "internal"] {
            let wrong = CreateApplicationRequest {
                kind: kind.into(),
                actions: vec!["users.show".into()],
                ..full.clone()
            };
            let mut expected: Vec<Vec<PathItem>> =
                vec![vec!["redirectUris".into()], vec!["trusted".into()]];
            if kind == "integration" {
                expected.push(vec!["actions".into()]);
            }
            assert_eq!(paths(&wrong), expected, "{kind}");
        }
        assert_eq!(paths(&request("console")), [vec!["kind".into()]]);
    }

    // contract: security 2.4 (internal callers)
    #[test]
    fn an_internal_application_names_actions_that_are_open_to_it() {
        let with = |actions: &[&str]| CreateApplicationRequest {
            actions: actions.iter().map(ToString::to_string).collect(),
            ..request("internal")
        };
        let all = [
            "users.query",
            "listings.query",
            "events.query",
            "listings.update",
        ];
        assert_eq!(check(&with(&all)), Ok(Kind::Internal));
        assert_eq!(paths(&with(&[])), [vec!["actions".into()]]);
        let mixed = with(&[
            "users.query",
            "users.ban",
            "no.such",
            "users.query",
            "transactions.privileged",
            "users.protected_data",
        ]);
        let expected: Vec<Vec<PathItem>> = (1..6)
            .map(|i: usize| vec!["actions".into(), i.into()])
            .collect();
        assert_eq!(paths(&mixed), expected);
    }

    #[test]
    fn names_have_one_to_a_hundred_characters() {
        for (name, good) in [
            ("é".repeat(100), true),
            ("a".repeat(101), false),
            (" ".into(), false),
            (String::new(), false),
            ("a\nb".into(), false),
        ] {
            let named = CreateApplicationRequest {
                name,
                ..request("integration")
            };
            assert_eq!(check(&named).is_ok(), good, "{:?}", named.name);
        }
    }

    // contract: security S34 (what may be registered)
    #[test]
    fn redirect_uris_are_absolute_and_secure() {
        for good in [
            "https://a.example/api/login-as",
            "https://a.example:8443/x?y=z",
            "http://localhost:3000/api/login-as",
            "http://127.0.0.1/x",
            "http://[::1]:3000/x",
        ] {
            assert!(is_redirect_uri(good), "{good}");
        }
        for bad in [
            "http://a.example/x",
            "http://localhost.evil.example/x",
            "https://user@a.example/x",
            "https:///x",
            "https://a.example/x#y",
            "/api/login-as",
            "javascript:alert(1)",
            "https://a.example/ x",
            "https://a.example\\@evil.example/",
            "",
        ] {
            assert!(!is_redirect_uri(bad), "{bad}");
        }
        assert!(!is_redirect_uri(&format!(
            "https://a.example/{}",
            "x".repeat(2000)
        )));
        let many = CreateApplicationRequest {
            redirect_uris: vec!["https://a.example/".into(); 21],
            ..request("marketplace")
        };
        assert_eq!(paths(&many), [vec!["redirectUris".into()]]);
    }
}
