//! The switches of the access control, named as in the settings of the operator API and in the asset
//! `general/access-control.json`.

use crate::auth::AccessControl;

/// One switch.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// The map that it stands in: `marketplace`, `users` or `listings`.
    pub group: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The map beside it that holds its `callToAction`.
    pub options: &'static str,
    /// Whether it is on.
    pub is_on: fn(&AccessControl) -> bool,
    /// Turns it.
    pub turn: fn(&mut AccessControl, bool),
}

macro_rules! switches {
    ($($group:literal $name:literal $field:ident;)*) => {
        /// All of them, in the order in which they are shown; those of a group stand together.
        pub const SWITCHES: &[Switch] = &[$(Switch {
            group: $group,
            name: $name,
            options: concat!($name, "Options"),
            is_on: |control| control.$field,
            turn: |control, on| control.$field = on,
        },)*];
    };
}

switches! {
    "marketplace" "private" private;
    "marketplace" "fileUploadAndDownloadDisabled" file_upload_and_download_disabled;
    "users" "requireApprovalToJoin" require_approval_to_join;
    "users" "requirePermissionToPostListings" require_permission_to_post_listings;
    "users" "requirePermissionToInitiateTransactions" require_permission_to_initiate_transactions;
    "users" "requirePermissionToRead" require_permission_to_read;
    "listings" "requireApprovalToPublish" require_approval_to_publish;
}

impl Switch {
    /// The switch of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SWITCHES.iter().find(|switch| switch.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_turns_itself_and_no_other() {
        for switch in SWITCHES {
            let mut control = AccessControl::default();
            (switch.turn)(&mut control, true);
            for other in SWITCHES {
                assert_eq!((other.is_on)(&control), other.name == switch.name);
            }
            assert_eq!(Switch::named(switch.name).unwrap().options, switch.options);
        }
    }
}
