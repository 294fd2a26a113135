//! Transit and JSON: readers, writers and the typed access to request bodies.
