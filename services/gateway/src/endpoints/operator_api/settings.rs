//! `settings/*`: what an owner says of the marketplace.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_codec::params::{Body, Given, Name};
use stoa_proto::auth::{
    CallToActionPatch, ShowSettingsRequest, SwitchPatch, UpdateSettingsRequest,
};
use stoa_proto::{SWITCHES, Switch};
use stoa_rpc::Problems;

/// All settings.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let request = call.credentials.request(ShowSettingsRequest {});
    let settings = Call::ask(auth.show_settings(request)).await?;
    Ok(Answer::one(Resource::Settings(Box::new(settings)), show))
}

/// A change of those that are given; maps are gone into, and the rest stays.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let body = &mut call.body;
    let mut patch = UpdateSettingsRequest {
        marketplace_name: body.optional("marketplaceName"),
        marketplace_description: clearable(body, "marketplaceDescription"),
        marketplace_url: clearable(body, "marketplaceUrl"),
        mail_from: clearable(body, "mailFrom"),
        environment: body.optional::<Name>("environment").map(|name| name.0),
        switches: access_control(body),
        ..UpdateSettingsRequest::default()
    };
    body.nullable_map("erasure", |body| {
        patch.erasure_texts = body.optional::<Name>("texts").map(|name| name.0);
    });
    body.nullable_map("passwordReset", |body| {
        patch.password_reset_strict = body.optional("strict");
    });
    body.nullable_map("passwords", |body| {
        let length = body.optional_integer("minLength", 8..=64);
        patch.password_min_length = length.and_then(|length| u32::try_from(length).ok());
    });
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let settings = Call::ask(auth.update_settings(call.credentials.request(patch))).await?;
    Ok(Answer::command(
        Resource::Settings(Box::new(settings)),
        show,
    ))
}

/// A text that may be missing: `null` takes it away, which auth is told by the empty text.
fn clearable(body: &mut Body, key: &'static str) -> Option<String> {
    match body.nullable(key) {
        Given::Absent => None,
        Given::Null => Some(String::new()),
        Given::Value(text) => Some(text),
    }
}

/// The switches that are given, in their groups.
fn access_control(body: &mut Body) -> Vec<SwitchPatch> {
    let mut found = Vec::new();
    body.nullable_map("accessControl", |body| {
        for group in ["marketplace", "users", "listings"] {
            body.nullable_map(group, |body| {
                let of_group = SWITCHES.iter().filter(|switch| switch.group == group);
                found.extend(of_group.filter_map(|switch| turned(body, switch)));
            });
        }
    });
    found
}

fn turned(body: &mut Body, switch: &Switch) -> Option<SwitchPatch> {
    let on = body.optional(switch.name);
    let link = body.nullable_map(switch.options, |body| {
        body.nullable_map("callToAction", |body| CallToActionPatch {
            removed: false,
            r#type: body.optional::<Name>("type").map(|name| name.0),
            text: clearable(body, "text"),
            href: clearable(body, "href"),
        })
    });
    let call_to_action = match link {
        Given::Absent | Given::Value(Given::Absent) => None,
        Given::Null | Given::Value(Given::Null) => Some(CallToActionPatch {
            removed: true,
            ..CallToActionPatch::default()
        }),
        Given::Value(Given::Value(link)) => Some(link),
    };
    (on.is_some() || call_to_action.is_some()).then(|| SwitchPatch {
        switch: switch.name.to_owned(),
        on,
        call_to_action,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use stoa_codec::request_kind;

    fn read(json: &Value) -> (Vec<SwitchPatch>, Result<(), Problems>) {
        let kind = request_kind(Some("application/json"));
        let mut body = Body::decode(kind, json.to_string().as_bytes()).unwrap();
        let switches = access_control(&mut body);
        (switches, body.finish())
    }

    #[test]
    fn switches_and_their_links_are_read_from_the_shape_of_the_asset() {
        let (switches, read) = read(&json!({ "accessControl": {
            "marketplace": { "private": true, "privateOptions": { "callToAction": null } },
            "users": {
                "requirePermissionToReadOptions": {
                    "callToAction": { "type": "internal", "text": "Ask", "href": "/ask" }
                },
                "requireApprovalToJoinOptions": null,
            },
            "listings": { "requireApprovalToPublish": false,
                          "requireApprovalToPublishOptions": {} },
        }}));
        read.unwrap();
        let removed = || {
            Some(CallToActionPatch {
                removed: true,
                ..CallToActionPatch::default()
            })
        };
        let link = CallToActionPatch {
            removed: false,
            r#type: Some("internal".into()),
            text: Some("Ask".into()),
            href: Some("/ask".into()),
        };
        let patch = |switch: &str, on, call_to_action| SwitchPatch {
            switch: switch.into(),
            on,
            call_to_action,
        };
        assert_eq!(
            switches,
            [
                patch("private", Some(true), removed()),
                patch("requireApprovalToJoin", None, removed()),
                patch("requirePermissionToRead", None, Some(link)),
                patch("requireApprovalToPublish", Some(false), None),
            ]
        );
    }

    #[test]
    fn what_is_not_known_deep_below_is_told_with_its_whole_path() {
        for (json, path) in [
            (
                json!({ "accessControl": { "users": { "private": true } } }),
                r#"["accessControl", "users", "private"]"#,
            ),
            (
                json!({ "accessControl": { "sellers": {} } }),
                r#"["accessControl", "sellers"]"#,
            ),
            (
                json!({ "accessControl": { "marketplace":
                    { "privateOptions": { "callToAction": { "color": "red" } } } } }),
                r#"["accessControl", "marketplace", "privateOptions", "callToAction", "color"]"#,
            ),
        ] {
            let problems = read(&json).1.unwrap_err();
            let problem = &problems.as_slice()[0];
            assert_eq!(problem.code, "validation-disallowed-key");
            let found: Vec<String> = problem
                .source
                .as_ref()
                .unwrap()
                .path
                .iter()
                .map(|item| match item {
                    stoa_types::PathItem::Key(key) => key.to_string(),
                    stoa_types::PathItem::Index(index) => index.to_string(),
                })
                .collect();
            assert_eq!(format!("{found:?}"), path);
        }
    }
}
