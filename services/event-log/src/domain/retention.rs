//! How long events stay.

use std::num::NonZeroU32;
use stoa_policy::Environment;
use stoa_types::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Events stored before this instant go: 90 days live, 7 days elsewhere (public reference,
/// "Events"), unless configured otherwise.
pub(crate) fn keep_from(
    now: Timestamp,
    configured_days: Option<NonZeroU32>,
    environment: Environment,
) -> Timestamp {
    let days = match (configured_days, environment) {
        (Some(days), _) => i64::from(days.get()),
        (None, Environment::Live) => 90,
        (None, Environment::Dev | Environment::Test) => 7,
    };
    now.plus_ms(-(days * DAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_events_stay_90_days_others_7_and_the_configuration_wins() {
        let now = Timestamp::from_ms(1000 * DAY_MS);
        let days = |configured, environment| {
            now.ms_since(keep_from(now, NonZeroU32::new(configured), environment)) / DAY_MS
        };
        assert_eq!(days(0, Environment::Live), 90);
        assert_eq!(days(0, Environment::Test), 7);
        assert_eq!(days(0, Environment::Dev), 7);
        assert_eq!(days(30, Environment::Live), 30);
    }
}
