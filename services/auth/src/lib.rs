//! Applications, grants, tokens, sessions, operators, settings, keys, audit.
