//! Process definitions and runs, messages, reviews, timers.
