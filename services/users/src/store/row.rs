//! From rows to users and back.

use crate::domain::profile::{Data, Profile};
use crate::domain::user::{Account, User};
use stoa_db::{DbError, FromRow, Row};
use stoa_policy::{Permissions, UserAccess, UserState};
use stoa_types::ExtendedData;

impl FromRow for User {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let state = state(row.get("state")?, "state")?;
        let state_before_ban = row.get::<Option<String>>("state_before_ban")?;
        Ok(Self {
            id: row.get("id")?,
            version: u64::try_from(row.get::<i64>("version")?)
                .map_err(|why| DbError::corrupt("version", why))?,
            created_at: row.get("created_at")?,
            access: UserAccess {
                state,
                epoch: row.get("security_epoch")?,
                except_session: row.get("except_sid")?,
                permissions: Permissions {
                    post_listings: row.get("post_listings")?,
                    initiate_transactions: row.get("initiate_transactions")?,
                    read: row.get("read")?,
                },
            },
            state_before_ban: state_before_ban
                .map(|name| self::state(name, "state_before_ban"))
                .transpose()?,
            account: match state {
                UserState::Deleted => None,
                UserState::Active | UserState::PendingApproval | UserState::Banned => {
                    Some(account(row)?)
                }
            },
        })
    }
}

fn account(row: &Row) -> Result<Account, DbError> {
    Ok(Account {
        email: row.get("email")?,
        email_verified: row.get("email_verified")?,
        pending_email: row.get("pending_email")?,
        profile: Profile {
            first_name: row.get("first_name")?,
            last_name: row.get("last_name")?,
            display_name: row.get("display_name")?,
            bio: row.get("bio")?,
            data: Data {
                public: data(row, "public_data")?,
                protected: data(row, "protected_data")?,
                private: data(row, "private_data")?,
                metadata: data(row, "metadata")?,
            },
        },
    })
}

fn state(name: String, column: &str) -> Result<UserState, DbError> {
    UserState::from_name(&name).ok_or_else(|| DbError::corrupt(column, "unknown state"))
}

fn data(row: &Row, column: &str) -> Result<ExtendedData, DbError> {
    let json: String = row.get(column)?;
    ExtendedData::from_stored(&json).map_err(|why| DbError::corrupt(column, why))
}

/// The version as the databases count.
pub(super) fn counted(version: u64) -> Result<i64, DbError> {
    i64::try_from(version).map_err(|why| DbError::corrupt("version", why))
}
