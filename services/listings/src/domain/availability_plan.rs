//! When a listing can be booked: the weekly plan, checked once and kept as the text that came in.

use serde_json::Value;
use stoa_types::{PathItem, Problem, SourceKind};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_PLAN: &str = "availability-plan/day";
const TIME_PLAN: &str = "availability-plan/time";
/// Minutes of a day; as the end of an entry `00:00` stands for it.
const END_OF_DAY: u32 = 24 * 60;
/// Longest text of a plan that is read at all: every five minutes of a week fit in.
const MAX_BYTES: usize = 256 * 1024;

/// A checked plan, as stored, and the part of it that everybody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AvailabilityPlan {
    stored: String,
    public: String,
}

/// As much of a plan as everybody sees.
#[derive(serde::Deserialize, serde::Serialize)]
struct PublicPlan {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
}

impl AvailabilityPlan {
    /// Checks a plan that came from outside, given as JSON.
    ///
    /// # Errors
    /// One 400 for each fault, at its path below `availabilityPlan`.
    pub(crate) fn parse(json: &str) -> Result<Self, Vec<Problem>> {
        let mut faults = Faults::default();
        let plan = (json.len() <= MAX_BYTES)
            .then(|| serde_json::from_str::<Value>(json).ok())
            .flatten();
        match plan {
            Some(Value::Object(plan)) => check_plan(&plan, &mut faults),
            _ => faults.invalid(&[], "must be an availability plan"),
        }
        match Self::from_stored(json) {
            Some(plan) if faults.0.is_empty() => Ok(plan),
            _ => Err(faults.0),
        }
    }

    /// Reads what the store wrote; nothing when it is damaged.
    pub(crate) fn from_stored(json: &str) -> Option<Self> {
        let mut public: PublicPlan = serde_json::from_str(json).ok()?;
        if public.kind != TIME_PLAN {
            // Day plans are in UTC, whatever they say.
            public.timezone = None;
        }
        Some(Self {
            stored: json.to_owned(),
            public: serde_json::to_string(&public).ok()?,
        })
    }

    /// The JSON text as it came in.
    pub(crate) fn stored(&self) -> &str {
        &self.stored
    }

    /// JSON of the form for everybody: type and, for time plans, time zone. Clients need the zone
    /// to ask for time slots at all.
    pub(crate) fn public(&self) -> &str {
        &self.public
    }
}

type Object = serde_json::Map<String, Value>;

#[derive(Default)]
struct Faults(Vec<Problem>);

impl Faults {
    fn path(below: &[PathItem]) -> Vec<PathItem> {
        let mut path = vec![PathItem::from("availabilityPlan")];
        path.extend_from_slice(below);
        path
    }

    fn invalid(&mut self, below: &[PathItem], why: &str) {
        let problem = Problem::invalid_value(SourceKind::Body, Self::path(below), why);
        self.0.push(problem);
    }

    fn missing(&mut self, below: &[PathItem]) {
        self.0
            .push(Problem::missing_key(SourceKind::Body, Self::path(below)));
    }

    fn disallow_others(&mut self, object: &Object, at: &[PathItem], known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let mut below = at.to_vec();
            below.push(key.clone().into());
            self.0.push(Problem::disallowed_key(
                SourceKind::Body,
                Self::path(&below),
            ));
        }
    }
}

fn check_plan(plan: &Object, faults: &mut Faults) {
    let timed = match plan.get("type").map(Value::as_str) {
        Some(Some(DAY_PLAN)) => false,
        Some(Some(TIME_PLAN)) => true,
        Some(_) => return faults.invalid(&["type".into()], "must be a type of availability plan"),
        None => return faults.missing(&["type".into()]),
    };
    faults.disallow_others(plan, &[], &["type", "timezone", "entries"]);
    if timed {
        match plan.get("timezone").map(Value::as_str) {
            Some(Some(zone)) if is_time_zone(zone) => {}
            Some(_) => faults.invalid(&["timezone".into()], "must be an IANA time zone"),
            None => faults.missing(&["timezone".into()]),
        }
    } else if plan
        .get("timezone")
        .is_some_and(|zone| !(zone.is_string() || zone.is_null()))
    {
        faults.invalid(&["timezone".into()], "must be a string");
    }
    let entries = match plan.get("entries") {
        Some(Value::Array(entries)) => entries,
        Some(_) => return faults.invalid(&["entries".into()], "must be a list"),
        None => return faults.missing(&["entries".into()]),
    };
    let mut taken: Vec<(usize, u32, u32)> = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        let at = ["entries".into(), PathItem::from(i)];
        let Value::Object(entry) = entry else {
            faults.invalid(&at, "must be an entry of a plan");
            continue;
        };
        if let Some((day, start, end)) = check_entry(entry, timed, &at, faults) {
            if taken
                .iter()
                .any(|&(d, s, e)| d == day && start < e && s < end)
            {
                faults.invalid(&at, "overlaps another entry of the same day");
            }
            taken.push((day, start, end));
        }
    }
}

/// Checks one entry; gives its day and minutes when they are sound.
fn check_entry(
    entry: &Object,
    timed: bool,
    at: &[PathItem],
    faults: &mut Faults,
) -> Option<(usize, u32, u32)> {
    let below = |key: &'static str| {
        let mut path = at.to_vec();
        path.push(key.into());
        path
    };
    let known: &[&str] = if timed {
        &["dayOfWeek", "startTime", "endTime", "seats"]
    } else {
        &["dayOfWeek", "seats"]
    };
    faults.disallow_others(entry, at, known);
    match entry.get("seats") {
        None => faults.missing(&below("seats")),
        Some(seats) if seats.as_u64().is_some_and(|n| n <= i32::MAX as u64) => {}
        Some(_) => faults.invalid(&below("seats"), "must be an integer of at least 0"),
    }
    let day = match entry.get("dayOfWeek") {
        None => {
            faults.missing(&below("dayOfWeek"));
            None
        }
        Some(day) => {
            let found = DAYS.iter().position(|name| day.as_str() == Some(name));
            if found.is_none() {
                faults.invalid(&below("dayOfWeek"), "must be one of mon to sun");
            }
            found
        }
    };
    if !timed {
        return day.map(|day| (day, 0, END_OF_DAY));
    }
    let mut time = |key| match entry.get(key) {
        None => {
            faults.missing(&below(key));
            None
        }
        Some(value) => {
            let minutes = value.as_str().and_then(minutes_of_day);
            if minutes.is_none() {
                faults.invalid(&below(key), "must be HH:mm with minutes in steps of 5");
            }
            minutes
        }
    };
    let (start, end) = (time("startTime"), time("endTime"));
    let (day, start, end) = (day?, start?, end?);
    let end = if end == 0 { END_OF_DAY } else { end };
    if start >= end {
        faults.invalid(&below("endTime"), "must be after startTime");
        return None;
    }
    Some((day, start, end))
}

/// Minutes since midnight of `HH:mm`; minutes in steps of five.
fn minutes_of_day(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    let two = |a: u8, b: u8| {
        (a.is_ascii_digit() && b.is_ascii_digit())
            .then(|| u32::from(a - b'0') * 10 + u32::from(b - b'0'))
    };
    let &[h1, h2, b':', m1, m2] = bytes else {
        return None;
    };
    let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
    (hours < 24 && minutes < 60 && minutes % 5 == 0).then_some(hours * 60 + minutes)
}

fn is_time_zone(name: &str) -> bool {
    // The library also takes POSIX forms; a name of the database begins with a letter and the
    // lookup is by name only.
    jiff::tz::db().get(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(json: &str) -> Vec<(String, String)> {
        let problems = AvailabilityPlan::parse(json).err().unwrap_or_default();
        problems
            .into_iter()
            .map(|p| {
                let path = p.source.unwrap().path;
                let path: Vec<String> = path
                    .into_iter()
                    .map(|item| match item {
                        PathItem::Key(key) => key.into_owned(),
                        PathItem::Index(i) => i.to_string(),
                    })
                    .collect();
                (p.code.into_owned(), path.join("."))
            })
            .collect()
    }

    fn one(code: &str, path: &str) -> Vec<(String, String)> {
        vec![(code.into(), path.into())]
    }

    const TIMED: &str = r#"{"type":"availability-plan/time","timezone":"Europe/Helsinki","entries":[{"dayOfWeek":"mon","startTime":"09:00","endTime":"11:00","seats":1},{"dayOfWeek":"mon","startTime":"11:00","endTime":"00:00","seats":0}]}"#;

    // contract: listings L16, L17
    #[test]
    fn everybody_sees_type_and_time_zone_and_the_author_the_plan_as_it_came_in() {
        let plan = AvailabilityPlan::parse(TIMED).unwrap();
        assert_eq!(plan.stored(), TIMED);
        assert_eq!(
            plan.public(),
            r#"{"type":"availability-plan/time","timezone":"Europe/Helsinki"}"#
        );
        let day = r#"{"type":"availability-plan/day","timezone":"Mars","entries":[]}"#;
        let plan = AvailabilityPlan::parse(day).unwrap();
        assert_eq!(plan.public(), r#"{"type":"availability-plan/day"}"#);
    }

    #[test]
    fn faults_are_named_at_their_place() {
        let invalid = "validation-invalid-value";
        let missing = "validation-missing-key";
        let entry = |text: &str| {
            format!(r#"{{"type":"availability-plan/time","timezone":"UTC","entries":[{text}]}}"#)
        };
        assert_eq!(faults("[]"), one(invalid, "availabilityPlan"));
        assert_eq!(faults("{"), one(invalid, "availabilityPlan"));
        assert_eq!(faults("{}"), one(missing, "availabilityPlan.type"));
        assert_eq!(
            faults(
                r#"{"type":"availability-plan/time","timezone":"Europe/Atlantis","entries":[]}"#
            ),
            one(invalid, "availabilityPlan.timezone")
        );
        assert_eq!(
            faults(r#"{"type":"availability-plan/time"}"#),
            [
                one(missing, "availabilityPlan.timezone"),
                one(missing, "availabilityPlan.entries")
            ]
            .concat()
        );
        let at = |key: &str| format!("availabilityPlan.entries.0.{key}");
        for (text, key) in [
            (
                r#"{"dayOfWeek":"monday","startTime":"09:00","endTime":"11:00","seats":1}"#,
                "dayOfWeek",
            ),
            (
                r#"{"dayOfWeek":"mon","startTime":"9:00","endTime":"11:00","seats":1}"#,
                "startTime",
            ),
            (
                r#"{"dayOfWeek":"mon","startTime":"09:01","endTime":"11:00","seats":1}"#,
                "startTime",
            ),
            (
                r#"{"dayOfWeek":"mon","startTime":"09:00","endTime":"24:00","seats":1}"#,
                "endTime",
            ),
            (
                r#"{"dayOfWeek":"mon","startTime":"09:00","endTime":"09:00","seats":1}"#,
                "endTime",
            ),
            (
                r#"{"dayOfWeek":"mon","startTime":"09:00","endTime":"11:00","seats":-1}"#,
                "seats",
            ),
            (
                r#"{"dayOfWeek":"mon","startTime":"09:00","endTime":"11:00","seats":1.5}"#,
                "seats",
            ),
        ] {
            assert_eq!(faults(&entry(text)), one(invalid, &at(key)), "{text}");
        }
    }

    #[test]
    fn entries_of_one_day_may_touch_but_not_overlap() {
        let day = r#"{"type":"availability-plan/day","entries":[{"dayOfWeek":"mon","seats":1},{"dayOfWeek":"mon","seats":2}]}"#;
        assert_eq!(
            faults(day),
            one("validation-invalid-value", "availabilityPlan.entries.1")
        );
        assert!(faults(TIMED).is_empty());
    }
}
