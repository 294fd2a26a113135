//! Calls between services: internal tokens, layers, channels, tasks.
