//! Listings and their search.
