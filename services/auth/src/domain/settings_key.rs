//! Settings one by one, by the dotted path of the operator API: for `stoa settings`.

use serde_json::{Value, json};
use stoa_proto::SWITCHES;
use stoa_proto::auth::{self as pb, UpdateSettingsRequest};

/// Every setting with its value, in the order of the operator API.
pub(crate) fn list(settings: &pb::Settings) -> Vec<(String, Value)> {
    let marketplace = settings.marketplace.clone().unwrap_or_default();
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut found = vec![
        ("marketplaceName".to_owned(), json!(marketplace.name)),
        (
            "marketplaceDescription".to_owned(),
            json!(marketplace.description),
        ),
        (
            "marketplaceUrl".to_owned(),
            json!(given(&settings.marketplace_url)),
        ),
        ("mailFrom".to_owned(), json!(given(&settings.mail_from))),
        ("environment".to_owned(), json!(settings.environment)),
    ];
    let control = settings.access_control.unwrap_or_default();
    for switch in SWITCHES {
        let name = format!("accessControl.{}.{}", switch.group, switch.name);
        found.push((name.clone(), json!((switch.is_on)(&control))));
        let links = &settings.calls_to_action;
        if let Some(link) = links.iter().find(|link| link.switch == switch.name) {
            let link = [
                ("type", json!(link.r#type)),
                ("text", json!(link.text)),
                ("href", json!(link.href)),
            ];
            let below = |(key, value)| (format!("{name}Options.callToAction.{key}"), value);
            found.extend(link.map(below));
        }
    }
    found.extend([
        ("erasure.texts".to_owned(), json!(settings.erasure_texts)),
        (
            "passwordReset.strict".to_owned(),
            json!(settings.password_reset_strict),
        ),
        (
            "passwords.minLength".to_owned(),
            json!(settings.password_min_length),
        ),
    ]);
    found
}

/// The change that gives one setting a value, as somebody types both; an empty text takes away
/// what may be missing.
///
/// # Errors
/// Why there is no such change.
pub(crate) fn change(key: &str, value: &str) -> Result<UpdateSettingsRequest, &'static str> {
    let text = || Some(value.to_owned());
    let truth = || match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("the value must be true or false"),
    };
    let mut patch = UpdateSettingsRequest::default();
    match key {
        "marketplaceName" => patch.marketplace_name = text(),
        "marketplaceDescription" => patch.marketplace_description = text(),
        "marketplaceUrl" => patch.marketplace_url = text(),
        "mailFrom" => patch.mail_from = text(),
        "environment" => patch.environment = text(),
        "erasure.texts" => patch.erasure_texts = text(),
        "passwordReset.strict" => patch.password_reset_strict = Some(truth()?),
        "passwords.minLength" => {
            let length = value
                .parse()
                .map_err(|_| "the value must be a whole number")?;
            patch.password_min_length = Some(length);
        }
        _ => {
            let path: Vec<&str> = key.split('.').collect();
            let (["accessControl", group, name], below) =
                path.split_at_checked(3).ok_or(UNKNOWN)?
            else {
                return Err(UNKNOWN);
            };
            let switch = SWITCHES
                .iter()
                .find(|switch| {
                    let wanted = if below.is_empty() {
                        switch.name
                    } else {
                        switch.options
                    };
                    switch.group == *group && wanted == *name
                })
                .ok_or(UNKNOWN)?;
            let mut turned = pb::SwitchPatch {
                switch: switch.name.to_owned(),
                ..pb::SwitchPatch::default()
            };
            match below {
                [] => turned.on = Some(truth()?),
                ["callToAction", field] => {
                    let mut link = pb::CallToActionPatch::default();
                    match *field {
                        "type" => link.r#type = text(),
                        "text" => link.text = text(),
                        "href" => link.href = text(),
                        _ => return Err(UNKNOWN),
                    }
                    turned.call_to_action = Some(link);
                }
                ["callToAction"] if value.is_empty() => {
                    turned.call_to_action = Some(pb::CallToActionPatch {
                        removed: true,
                        ..pb::CallToActionPatch::default()
                    });
                }
                _ => return Err(UNKNOWN),
            }
            patch.switches.push(turned);
        }
    }
    Ok(patch)
}

const UNKNOWN: &str = "there is no such setting";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings_change::{check, merge};

    #[test]
    fn every_setting_that_is_shown_can_be_typed_again() {
        let link = |switch: &str| pb::CallToAction {
            switch: switch.into(),
            r#type: "internal".into(),
            text: Some("Ask".into()),
            href: Some("/ask".into()),
        };
        let settings = pb::Settings {
            marketplace: Some(pb::Marketplace {
                id: String::new(),
                name: "Agora".into(),
                description: Some("Greek".into()),
            }),
            environment: "test".into(),
            access_control: Some(pb::AccessControl {
                private: true,
                require_permission_to_read: true,
                ..pb::AccessControl::default()
            }),
            marketplace_url: "https://market.example".into(),
            mail_from: "hello@market.example".into(),
            erasure_texts: "blank".into(),
            password_reset_strict: true,
            password_min_length: 12,
            calls_to_action: vec![link("private"), link("requireApprovalToPublish")],
            ..pb::Settings::default()
        };
        let mut typed = pb::Settings::default();
        // A link leads somewhere before it says how.
        let (kinds, others): (Vec<_>, Vec<_>) = list(&settings)
            .into_iter()
            .partition(|(key, _)| key.ends_with(".type"));
        for (key, value) in others.into_iter().chain(kinds) {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let patch = change(&key, &text).unwrap_or_else(|why| panic!("{key}: {why}"));
            check(&patch).unwrap();
            typed = merge(&typed, &patch).unwrap();
        }
        assert_eq!(typed, settings);
    }

    #[test]
    fn what_is_no_setting_is_told_so() {
        for (key, value) in [
            ("name", "x"),
            ("", "x"),
            ("accessControl", "true"),
            ("accessControl.users.private", "true"),
            ("accessControl.marketplace.private", "yes"),
            ("accessControl.marketplace.privateOptions", "x"),
            ("accessControl.marketplace.privateOptions.callToAction", "x"),
            (
                "accessControl.marketplace.privateOptions.callToAction.color",
                "x",
            ),
            ("accessControl.marketplace.private.callToAction.text", "x"),
            ("passwords.minLength", "many"),
            ("passwordReset.strict", "1"),
        ] {
            assert!(change(key, value).is_err(), "{key} {value}");
        }
    }
}
