//! What a listing is and how it may change. Pure: no database, no clock, no network.

mod availability_plan;
pub(crate) mod fields;
pub(crate) mod lifecycle;
pub(crate) mod listing;
mod update;

pub(crate) use availability_plan::AvailabilityPlan;
pub(crate) use fields::Fields;
pub(crate) use lifecycle::WrongState;
pub(crate) use listing::{Listing, State};
pub(crate) use update::{Changes, Patch};
