//! Actions that write protected data and metadata.

use super::Work;
use crate::definition::{Action, ActionConfig, Actor, Party};
use crate::engine::{Effect, StepError};
use stoa_types::extended_data::NotExtendedData;
use stoa_types::{ExtendedData, Problem, SourceKind};

/// `update-protected-data`: merges the parameter, when it is given.
pub(super) fn update_protected_data(work: &mut Work<'_>) -> Result<(), StepError> {
    let Some(patch) = work.params.extended_data("protectedData") else {
        return Ok(());
    };
    let merged = work.run.protected_data.merged(&patch, work.context.actor);
    work.run.protected_data = merged.map_err(|why| refused("protectedData", why))?;
    work.effects.push(Effect::ProtectedDataUpdated);
    Ok(())
}

/// `privileged-update-metadata`: merges the parameter, when it is given.
pub(super) fn update_metadata(work: &mut Work<'_>) -> Result<(), StepError> {
    work.require_trust()?;
    let Some(patch) = work.params.extended_data("metadata") else {
        return Ok(());
    };
    let merged = work.run.metadata.merged(&patch);
    work.run.metadata = merged.map_err(|why| refused("metadata", why))?;
    work.effects.push(Effect::MetadataUpdated);
    Ok(())
}

fn refused(param: &'static str, why: NotExtendedData) -> StepError {
    let path = vec!["params".into(), param.into()];
    StepError::Params(Problem::invalid_value(SourceKind::Body, path, why.to_string()).into())
}

/// `reveal-…-protected-data`: copies from a party's profile, as it is now.
pub(super) fn reveal(work: &mut Work<'_>, party: Party, action: &Action) -> Result<(), StepError> {
    let failed = |why: String| StepError::ActionFailed {
        action: action.kind,
        why,
    };
    let facts = work.context.facts.of(party);
    let profile = facts.profile.as_ref();
    let profile = profile.ok_or_else(|| failed("the profile is not available".into()))?;
    let copied = match &action.config {
        ActionConfig::KeyMapping(Some(mapping)) => mapped(profile, mapping),
        _ => profile.clone(),
    };
    // What comes from a profile is its owner's, whoever caused the copy.
    let merged = work.run.protected_data.merged(&copied, Actor::from(party));
    work.run.protected_data = merged.map_err(|why| failed(why.to_string()))?;
    work.effects.push(Effect::ProtectedDataUpdated);
    Ok(())
}

/// The listed keys under their new names; keys that the profile lacks are skipped.
fn mapped(profile: &ExtendedData, mapping: &[(String, String)]) -> ExtendedData {
    let mut copied = ExtendedData::empty();
    for (from, to) in mapping {
        if let Some(json) = profile.get(from) {
            copied
                .set(to, json)
                .expect("a value of extended data is JSON");
        }
    }
    copied
}
