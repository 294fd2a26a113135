//! A change of the settings: what is given takes the place of what was, deep in the maps, too.

use crate::domain::settings::{
    LONGEST_MINIMUM, SHORTEST_OF_USERS, is_mail_address, refused_pair, url_fault,
};
use stoa_policy::{Action, Environment};
use stoa_proto::auth::{self as pb, UpdateSettingsRequest};
use stoa_proto::{SWITCHES, Switch};
use stoa_types::{PathItem, Problem, Problems, SourceKind};

/// Longest name of a marketplace, in characters.
const LONGEST_NAME: usize = 100;
/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 1000;
/// Longest text of a link, in characters.
const LONGEST_TEXT: usize = 200;
/// Longest target of a link, in bytes.
const LONGEST_HREF: usize = 2000;

/// Where the settings are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// `stoa dev`, which plays: anything goes with anything.
    Play,
    /// For real, changed through the operator API.
    Served,
    /// For real, changed by somebody with a shell on the host.
    Host,
}

/// A change is refused although each value is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// What was live stays live.
    #[error("a live marketplace changes its environment by `stoa settings` on the host only")]
    LiveStays,
    /// Two values do not go together.
    #[error("{0}")]
    Pair(&'static str),
}

/// The action that a change is: some settings are the owners' alone.
pub(crate) const fn action(patch: &UpdateSettingsRequest) -> Action {
    let of_owners = patch.environment.is_some()
        || patch.marketplace_url.is_some()
        || patch.mail_from.is_some()
        || patch.erasure_texts.is_some()
        || patch.password_reset_strict.is_some()
        || patch.password_min_length.is_some();
    if of_owners {
        Action::UpdateOwnersSettings
    } else {
        Action::UpdateSettings
    }
}

/// Checks each value by itself.
///
/// # Errors
/// Everything that is wrong, 400 each, with the path of the operator API.
pub(crate) fn check(patch: &UpdateSettingsRequest) -> Result<(), Problems> {
    let mut found = Vec::new();
    let mut invalid = |path: &[&'static str], why: &str| found.push(invalid_at(path, why));
    let controls = |text: &str| text.chars().any(char::is_control);
    if let Some(name) = &patch.marketplace_name
        && (name.trim().is_empty() || name.chars().count() > LONGEST_NAME || controls(name))
    {
        let why = "must have 1 to 100 characters, none of them a control";
        invalid(&["marketplaceName"], why);
    }
    if let Some(text) = &patch.marketplace_description
        && (text.chars().count() > LONGEST_DESCRIPTION || text.contains('\0'))
    {
        invalid(
            &["marketplaceDescription"],
            "must have at most 1000 characters",
        );
    }
    if let Some(url) = patch
        .marketplace_url
        .as_deref()
        .filter(|url| !url.is_empty())
        && let Some(why) = url_fault(url)
    {
        invalid(&["marketplaceUrl"], why);
    }
    if let Some(address) = patch.mail_from.as_deref().filter(|text| !text.is_empty())
        && !is_mail_address(address)
    {
        invalid(&["mailFrom"], "must be an e-mail address");
    }
    if let Some(name) = &patch.environment
        && Environment::from_name(name).is_none()
    {
        invalid(&["environment"], "must be dev, test or live");
    }
    if let Some(texts) = &patch.erasure_texts
        && !["keep", "blank"].contains(&texts.as_str())
    {
        invalid(&["erasure", "texts"], "must be keep or blank");
    }
    if let Some(length) = patch.password_min_length
        && !(SHORTEST_OF_USERS..=LONGEST_MINIMUM).contains(&length)
    {
        invalid(&["passwords", "minLength"], "must lie between 8 and 64");
    }
    for turned in &patch.switches {
        if Switch::named(&turned.switch).is_none() {
            invalid(&["accessControl"], "has no such switch");
        }
    }
    Problems::check(found)
}

/// The settings after a change, all but their version. `patch` was checked.
///
/// # Errors
/// A link that lacks something, 400.
pub(crate) fn merge(
    present: &pb::Settings,
    patch: &UpdateSettingsRequest,
) -> Result<pb::Settings, Problems> {
    let mut merged = present.clone();
    let marketplace = merged.marketplace.get_or_insert_default();
    if let Some(name) = &patch.marketplace_name {
        marketplace.name.clone_from(name);
    }
    if let Some(text) = &patch.marketplace_description {
        marketplace.description = Some(text.clone()).filter(|text| !text.is_empty());
    }
    let texts = [
        (&mut merged.marketplace_url, &patch.marketplace_url),
        (&mut merged.mail_from, &patch.mail_from),
        (&mut merged.environment, &patch.environment),
        (&mut merged.erasure_texts, &patch.erasure_texts),
    ];
    for (present, given) in texts {
        if let Some(given) = given {
            present.clone_from(given);
        }
    }
    if let Some(strict) = patch.password_reset_strict {
        merged.password_reset_strict = strict;
    }
    if let Some(length) = patch.password_min_length {
        merged.password_min_length = length;
    }
    let control = merged.access_control.get_or_insert_default();
    let mut found = Vec::new();
    for turned in &patch.switches {
        let Some(switch) = Switch::named(&turned.switch) else {
            continue;
        };
        if let Some(on) = turned.on {
            (switch.turn)(control, on);
        }
        if let Some(link) = &turned.call_to_action {
            found.extend(relink(&mut merged.calls_to_action, switch, link));
        }
    }
    Problems::check(found)?;
    Ok(merged)
}

/// Whether the change may be made where it is made.
///
/// # Errors
/// [`Refused`].
pub(crate) fn permit(
    before: &pb::Settings,
    after: &pb::Settings,
    place: Use,
) -> Result<(), Refused> {
    let live = Environment::Live.name();
    if place == Use::Served && before.environment == live && after.environment != live {
        return Err(Refused::LiveStays);
    }
    match refused_pair(after) {
        Some(why) if place != Use::Play => Err(Refused::Pair(why)),
        _ => Ok(()),
    }
}

/// Whether tokens by which operators look through users' eyes end with the change: what they may do
/// follows the environment, and their codes went to the former address.
pub(crate) fn ends_login_as(before: &pb::Settings, after: &pb::Settings) -> bool {
    before.environment != after.environment || before.marketplace_url != after.marketplace_url
}

/// Changes the link of a switch; what is wrong with the result.
fn relink(
    links: &mut Vec<pb::CallToAction>,
    switch: &'static Switch,
    patch: &pb::CallToActionPatch,
) -> Vec<Problem> {
    let at = links.iter().position(|link| link.switch == switch.name);
    let former = at.map(|at| links.remove(at));
    if patch.removed {
        return Vec::new();
    }
    let mut link = former.unwrap_or_else(|| pb::CallToAction {
        switch: switch.name.to_owned(),
        r#type: "none".to_owned(),
        text: None,
        href: None,
    });
    if let Some(kind) = &patch.r#type {
        link.r#type.clone_from(kind);
    }
    for (present, given) in [(&mut link.text, &patch.text), (&mut link.href, &patch.href)] {
        if let Some(given) = given {
            *present = Some(given.clone()).filter(|text| !text.is_empty());
        }
    }
    let problems = link_faults(switch, &link);
    links.push(link);
    links.sort_by_key(|link| SWITCHES.iter().position(|s| s.name == link.switch));
    problems
}

fn link_faults(switch: &'static Switch, link: &pb::CallToAction) -> Vec<Problem> {
    let path = |key| {
        let above = [
            "accessControl",
            switch.group,
            switch.options,
            "callToAction",
        ];
        above.into_iter().chain([key]).map(PathItem::from).collect()
    };
    let invalid = |key, why: &str| Problem::invalid_value(SourceKind::Body, path(key), why);
    let mut found = Vec::new();
    let leads = match link.r#type.as_str() {
        "none" => false,
        "internal" | "external" => true,
        _ => {
            found.push(invalid("type", "must be none, internal or external"));
            return found;
        }
    };
    match &link.text {
        Some(text) if text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) => {
            let why = "must have at most 200 characters in one line";
            found.push(invalid("text", why));
        }
        None if leads => found.push(Problem::missing_key(SourceKind::Body, path("text"))),
        Some(_) | None => {}
    }
    match &link.href {
        Some(href) => {
            let inside = href.starts_with('/') && !href.starts_with("//");
            let outside = href.starts_with("https://") || href.starts_with("http://");
            let fits = match link.r#type.as_str() {
                "internal" => inside,
                "external" => outside,
                _ => inside || outside,
            };
            let plain = href
                .chars()
                .all(|c| !c.is_control() && !c.is_whitespace() && c != '\\');
            if !fits || !plain || href.len() > LONGEST_HREF {
                let why = "must be a path that begins with / where the type is internal, and an \
                           http address where it is external";
                found.push(invalid("href", why));
            }
        }
        None if leads => found.push(Problem::missing_key(SourceKind::Body, path("href"))),
        None => {}
    }
    found
}

fn invalid_at(path: &[&'static str], why: &str) -> Problem {
    let path = path.iter().copied().map(PathItem::from).collect();
    Problem::invalid_value(SourceKind::Body, path, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present() -> pb::Settings {
        pb::Settings {
            version: 3,
            marketplace: Some(pb::Marketplace {
                id: "m".into(),
                name: "Stoa".into(),
                description: Some("A market".into()),
            }),
            environment: "live".into(),
            access_control: Some(pb::AccessControl {
                private: true,
                ..pb::AccessControl::default()
            }),
            marketplace_url: "https://market.example".into(),
            erasure_texts: "keep".into(),
            password_min_length: 8,
            ..pb::Settings::default()
        }
    }

    fn link(r#type: Option<&str>, text: Option<&str>, href: Option<&str>) -> UpdateSettingsRequest {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let patch = pb::SwitchPatch {
            switch: "requireApprovalToJoin".into(),
            on: None,
            call_to_action: Some(pb::CallToActionPatch {
                removed: false,
                r#type: owned(r#type),
                text: owned(text),
                href: owned(href),
            }),
        };
        UpdateSettingsRequest {
            switches: vec![patch],
            ..UpdateSettingsRequest::default()
        }
    }

    /// Codes and last items of the paths.
    fn told(problems: &Problems) -> Vec<(String, String)> {
        let found = problems.as_slice().iter().map(|problem| {
            let last = problem.source.as_ref().unwrap().path.last().unwrap();
            (problem.code.to_string(), format!("{last:?}"))
        });
        found.collect()
    }

    #[test]
    fn what_is_not_given_stays() {
        let before = present();
        let nothing = UpdateSettingsRequest::default();
        assert_eq!(merge(&before, &nothing).unwrap(), before);
        let patch = UpdateSettingsRequest {
            marketplace_name: Some("Agora".into()),
            marketplace_description: Some(String::new()),
            switches: vec![pb::SwitchPatch {
                switch: "requireApprovalToPublish".into(),
                on: Some(true),
                call_to_action: None,
            }],
            password_min_length: Some(15),
            ..UpdateSettingsRequest::default()
        };
        check(&patch).unwrap();
        let after = merge(&before, &patch).unwrap();
        let marketplace = after.marketplace.clone().unwrap();
        assert_eq!(
            (marketplace.name.as_str(), marketplace.description),
            ("Agora", None)
        );
        let control = after.access_control.unwrap();
        assert!(control.private && control.require_approval_to_publish);
        assert_eq!(after.password_min_length, 15);
        assert_eq!(after.marketplace_url, before.marketplace_url);
    }

    // contract: security S28
    #[test]
    fn environment_address_mail_and_rules_of_passwords_are_the_owners() {
        let nothing = UpdateSettingsRequest::default();
        let text = || Some(String::new());
        for of_owners in [
            UpdateSettingsRequest {
                environment: text(),
                ..nothing.clone()
            },
            UpdateSettingsRequest {
                marketplace_url: text(),
                ..nothing.clone()
            },
            UpdateSettingsRequest {
                mail_from: text(),
                ..nothing.clone()
            },
            UpdateSettingsRequest {
                erasure_texts: text(),
                ..nothing.clone()
            },
            UpdateSettingsRequest {
                password_reset_strict: Some(false),
                ..nothing.clone()
            },
            UpdateSettingsRequest {
                password_min_length: Some(8),
                ..nothing.clone()
            },
        ] {
            assert_eq!(action(&of_owners), Action::UpdateOwnersSettings);
        }
        let name = UpdateSettingsRequest {
            marketplace_name: text(),
            ..nothing
        };
        assert_eq!(action(&name), Action::UpdateSettings);
        assert_eq!(action(&link(None, None, None)), Action::UpdateSettings);
    }

    #[test]
    fn every_bad_value_is_told_with_its_path() {
        let text = |text: &str| Some(text.to_owned());
        let patch = UpdateSettingsRequest {
            marketplace_name: text(" "),
            marketplace_description: text(&"x".repeat(1001)),
            marketplace_url: text("https://market.example/"),
            mail_from: text("nobody"),
            environment: text("staging"),
            erasure_texts: text("burn"),
            password_min_length: Some(65),
            ..UpdateSettingsRequest::default()
        };
        let problems = check(&patch).unwrap_err();
        let places: Vec<_> = told(&problems).into_iter().map(|(_, last)| last).collect();
        let key = |key: &'static str| format!("{:?}", PathItem::from(key));
        assert_eq!(
            places,
            [
                "marketplaceName",
                "marketplaceDescription",
                "marketplaceUrl",
                "mailFrom",
                "environment",
                "texts",
                "minLength"
            ]
            .map(key)
        );
        let cleared = UpdateSettingsRequest {
            marketplace_url: text(""),
            mail_from: text(""),
            ..UpdateSettingsRequest::default()
        };
        assert_eq!(check(&cleared), Ok(()));
    }

    // contract: users section 4 (callToAction)
    #[test]
    fn links_are_changed_in_part_and_must_lead_somewhere_harmless() {
        let merged = |before: &pb::Settings, patch: &UpdateSettingsRequest| merge(before, patch);
        let first = link(
            Some("external"),
            Some("Ask us"),
            Some("https://help.example/join"),
        );
        let first = merged(&present(), &first).unwrap();
        assert_eq!(first.calls_to_action.len(), 1);
        let second = merged(&first, &link(None, Some("Ask"), None)).unwrap();
        let kept = &second.calls_to_action[0];
        assert_eq!(
            (kept.r#type.as_str(), kept.text.as_deref()),
            ("external", Some("Ask"))
        );
        assert_eq!(kept.href.as_deref(), Some("https://help.example/join"));
        let mut removal = link(None, None, None);
        removal.switches[0].call_to_action.as_mut().unwrap().removed = true;
        assert!(
            merged(&second, &removal)
                .unwrap()
                .calls_to_action
                .is_empty()
        );

        let missing = merged(&present(), &link(Some("internal"), None, None)).unwrap_err();
        let codes: Vec<_> = told(&missing).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, ["validation-missing-key", "validation-missing-key"]);
        for (kind, href) in [
            ("external", "javascript:alert(1)"),
            ("external", "/page"),
            ("internal", "//evil.example"),
            ("internal", "https://evil.example"),
            ("internal", "/\\evil.example"),
            ("none", "data:text/html,x"),
            ("internal", "/a b"),
        ] {
            let refused = merged(&present(), &link(Some(kind), Some("x"), Some(href)));
            let key = format!("{:?}", PathItem::from("href"));
            let expected = ("validation-invalid-value".to_owned(), key);
            assert_eq!(told(&refused.unwrap_err()), [expected], "{kind} {href}");
        }
        assert!(merged(&present(), &link(Some("popup"), None, None)).is_err());
        assert!(merged(&present(), &link(Some("none"), None, None)).is_ok());
    }

    // contract: security S29, security S73
    #[test]
    fn a_served_live_marketplace_stays_live_and_keeps_tls() {
        let with = |environment: &str, url: &str| pb::Settings {
            environment: environment.into(),
            marketplace_url: url.into(),
            ..present()
        };
        let (live, dev) = (with("live", "https://a.b"), with("dev", "https://a.b"));
        let plain = "http://localhost:3000";
        assert_eq!(permit(&live, &dev, Use::Served), Err(Refused::LiveStays));
        assert_eq!(permit(&live, &dev, Use::Host), Ok(()));
        assert_eq!(permit(&live, &dev, Use::Play), Ok(()));
        assert_eq!(permit(&dev, &live, Use::Served), Ok(()));
        for place in [Use::Served, Use::Host] {
            let pair = permit(&dev, &with("live", plain), place);
            assert!(matches!(pair, Err(Refused::Pair(_))));
            assert_eq!(permit(&dev, &with("dev", plain), place), Ok(()));
        }
        assert_eq!(permit(&dev, &with("live", plain), Use::Play), Ok(()));
        assert!(ends_login_as(&live, &dev) && ends_login_as(&dev, &with("dev", plain)));
        assert!(!ends_login_as(
            &live,
            &pb::Settings {
                version: 4,
                ..live.clone()
            }
        ));
    }
}
