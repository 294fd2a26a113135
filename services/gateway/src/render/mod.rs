//! Answers: resources, what is included beside them, and their form in the client's format.

mod answer;
pub(crate) mod errors;
mod fields;
mod include;
mod resources;

pub(crate) use answer::{Answer, Presentation};
pub(crate) use fields::Fields;
pub(crate) use resources::Resource;
