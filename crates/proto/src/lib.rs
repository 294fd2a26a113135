//! The contract between the services, generated from proto/.
