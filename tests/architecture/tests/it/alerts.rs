//! The alert rules and the dashboard, held against the figures that a process shows.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use stoa_telemetry::series_names;

fn text_of(file: &str) -> String {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    std::fs::read_to_string(deploy.join(file)).unwrap()
}

fn rules() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(&text_of("alerts/stoa.rules.yaml")).unwrap();
    let groups = file["groups"].as_array().unwrap().iter();
    groups
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect()
}

/// The names of figures of ours in a text.
fn series_in(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("stoa_"))
        .collect()
}

#[test]
fn every_figure_of_the_alert_rules_is_one_that_a_process_shows() {
    for rule in rules() {
        let text = format!("{} {}", rule["expr"], rule["annotations"]);
        let named = series_in(&text);
        assert!(!named.is_empty(), "{rule}");
        for name in named {
            assert!(series_names().iter().any(|known| known == name), "{name}");
        }
    }
}

#[test]
fn every_panel_of_the_dashboard_shows_figures_of_a_process() {
    let dashboard: Value = serde_json::from_str(&text_of("dashboards/stoa.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(!panels.is_empty());
    for target in panels.iter().flat_map(|p| p["targets"].as_array().unwrap()) {
        let expression = target["expr"].as_str().unwrap();
        let named = series_in(expression);
        assert!(!named.is_empty(), "{expression}");
        for name in named {
            assert!(series_names().iter().any(|known| known == name), "{name}");
        }
    }
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_it_means() {
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap().to_owned();
        assert!(name.starts_with("Stoa"), "{name}");
        assert!(!rule["annotations"]["summary"].as_str().unwrap().is_empty());
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(
            ["info", "warning", "critical"].contains(&severity),
            "{name}"
        );
        assert!(names.insert(name), "an alert stands once: {rule}");
    }
}

#[test]
fn what_can_stop_an_installation_has_an_alert() {
    let rules = rules();
    let watched: BTreeSet<&str> = rules
        .iter()
        .flat_map(|rule| series_in(rule["expr"].as_str().unwrap()))
        .collect();
    for name in [
        "stoa_feed_lag_seconds",
        "stoa_sequencer_pass_age_seconds",
        "stoa_feed_contact_age_seconds",
        "stoa_revocation_lag_seconds_bucket",
        "stoa_timer_lag_seconds",
        "stoa_job_age_seconds",
        "stoa_db_connections_idle",
        "stoa_rpc_refused_total",
        "stoa_http_requests_total",
        "stoa_security_events_total",
    ] {
        assert!(watched.contains(name), "{name} has no alert");
    }
}
