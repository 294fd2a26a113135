//! The one place that says who may do what.
