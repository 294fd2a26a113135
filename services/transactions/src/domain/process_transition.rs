//! What a party may do next, as the API describes it.

use sha2::{Digest as _, Sha256};
use stoa_process::Transition;
use stoa_proto::transactions as pb;

/// One transition of a process version. Its id is the same in every answer: it follows from the
/// process, its version and the name (a hash in the form of RFC 9562, version 8).
pub(crate) fn process_transition(
    process: &str,
    version: u32,
    transition: &Transition,
) -> pb::ProcessTransition {
    let name = transition.name.as_str();
    let hash = Sha256::digest(format!(
        "stoa process transition/{process}/{version}/{name}"
    ));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    let params = transition.params();
    pb::ProcessTransition {
        id: uuid::Builder::from_custom_bytes(bytes)
            .into_uuid()
            .to_string(),
        name: name.to_owned(),
        params: params
            .iter()
            .map(|param| pb::ProcessParam {
                name: param.name.to_owned(),
                r#type: param.kind.name().to_owned(),
                required: param.required,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_process::{Process, shipped};

    #[test]
    fn ids_of_process_transitions_never_change_and_differ_by_version_and_name() {
        let shipped = shipped().iter().find(|s| s.name == "free-request").unwrap();
        let process = Process::parse(shipped.edn).unwrap();
        let id = |version, name| {
            let transition = process.transition(name).unwrap();
            process_transition("free-request", version, transition).id
        };
        let accept = id(1, "transition/accept");
        assert_eq!(accept, id(1, "transition/accept"));
        assert_ne!(accept, id(2, "transition/accept"));
        assert_ne!(accept, id(1, "transition/decline"));
        assert_eq!(uuid::Uuid::parse_str(&accept).unwrap().get_version_num(), 8);
    }

    #[test]
    fn parameters_are_described_with_type_and_need() {
        let shipped = shipped().iter().find(|s| s.name == "free-request").unwrap();
        let process = Process::parse(shipped.edn).unwrap();
        let described = process_transition(
            "free-request",
            1,
            process
                .transition("transition/review-1-by-customer")
                .unwrap(),
        );
        let params: Vec<_> = described
            .params
            .iter()
            .map(|p| (p.name.as_str(), p.r#type.as_str(), p.required))
            .collect();
        assert_eq!(
            params,
            [
                ("reviewRating", "integer", true),
                ("reviewContent", "string", true)
            ]
        );
    }
}
