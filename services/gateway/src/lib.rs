//! The HTTP edge: tokens to access levels, routes, wire formats, composition.
