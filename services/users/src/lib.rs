//! Accounts, credentials, profiles, permissions, ban and delete.
