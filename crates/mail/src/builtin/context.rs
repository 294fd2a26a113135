//! What templates can say: the values of each mail, with the keys that authors write.
//!
//! Keys are kebab-case; extended data keeps its own. Money is in major units, times are objects in
//! UTC.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use stoa_types::{Money as MinorMoney, Timestamp};

/// Longest name in a mail, in characters.
const NAME_MAX: usize = 64;

/// Defines the values of a mail or of a part of one.
macro_rules! values {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct $name { $($(#[$attribute])* pub $field: $type,)* }

        impl std::fmt::Debug for $name {
            /// Says nothing of the values: they are personal, and some are secrets.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

values! {
    /// A person. Make it with [`User::new`]: names are what others choose.
    User {
        /// Id.
        id: String,
        /// First name.
        first_name: String,
        /// Last name.
        last_name: String,
        /// The name that others see.
        display_name: String,
        /// Extended data.
        private_data: Map<String, Json>,
        /// Extended data.
        public_data: Map<String, Json>,
        /// Extended data.
        protected_data: Map<String, Json>,
        /// Extended data.
        metadata: Map<String, Json>,
    }

    /// The marketplace.
    Marketplace {
        /// Its name.
        name: String,
        /// Its address, without a slash at the end.
        url: String,
    }

    /// A mail about the account: `email-address-changed`, `password-changed`, `user-joined`,
    /// `user-approved`.
    AccountMail {
        /// Whom it goes to.
        recipient: User,
        /// The marketplace.
        marketplace: Marketplace,
    }

    /// `verify-email-address` and `verify-changed-email-address`.
    VerificationMail {
        /// Whom it goes to.
        recipient: User,
        /// The marketplace.
        marketplace: Marketplace,
        /// What confirms the address.
        email_verification: Verification,
    }

    /// What confirms an address.
    Verification {
        /// The token.
        token: String,
    }

    /// `reset-password`.
    ResetMail {
        /// Whom it goes to.
        recipient: User,
        /// The marketplace.
        marketplace: Marketplace,
        /// What allows a new password.
        password_reset: Reset,
    }

    /// What allows a new password.
    Reset {
        /// The token.
        token: String,
        /// The address that is stored.
        email_address: String,
    }

    /// `user-permissions-changed`.
    PermissionsMail {
        /// Whom it goes to.
        recipient: User,
        /// The marketplace.
        marketplace: Marketplace,
        /// Those that changed.
        changed_permissions: ChangedPermissions,
    }

    /// `listing-approved`.
    ListingMail {
        /// Whom it goes to.
        recipient: User,
        /// The marketplace.
        marketplace: Marketplace,
        /// The listing.
        listing: Listing,
    }

    /// `new-message`.
    MessageMail {
        /// Whom it goes to.
        recipient: User,
        /// `customer` or `provider`.
        recipient_role: String,
        /// The marketplace.
        marketplace: Marketplace,
        /// The message.
        message: Message,
    }

    /// A message to the other party of a transaction.
    Message {
        /// Who wrote it.
        sender: User,
        /// What it says.
        content: String,
        /// The transaction, without its last transition.
        transaction: Transaction,
    }

    /// A mail of a transaction process.
    TransactionMail {
        /// Whom it goes to.
        recipient: User,
        /// `customer` or `provider`.
        recipient_role: String,
        /// The other one.
        other_party: User,
        /// The marketplace.
        marketplace: Marketplace,
        /// The transaction.
        transaction: Transaction,
    }

    /// A transaction.
    Transaction {
        /// Id.
        id: String,
        /// `state/...`.
        state: String,
        /// `transition/...`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_transition: Option<String>,
        /// What it costs.
        tx_line_items: Vec<LineItem>,
        /// What the customer pays.
        payin_total: Option<Money>,
        /// What the provider gets.
        payout_total: Option<Money>,
        /// The booked time.
        booking: Option<Booking>,
        /// The reserved stock.
        stock_reservation: Option<StockReservation>,
        /// All of them.
        reviews: Vec<Review>,
        /// What it is about.
        listing: Listing,
        /// Who buys.
        customer: User,
        /// Who sells.
        provider: User,
        /// The next transition that comes by itself.
        delayed_transition: Option<DelayedTransition>,
        /// Extended data.
        protected_data: Map<String, Json>,
        /// Extended data.
        metadata: Map<String, Json>,
    }

    /// One line of what a transaction costs. Numbers are decimals.
    LineItem {
        /// `line-item/...`.
        code: String,
        /// Price of one.
        unit_price: Option<Money>,
        /// Price of all.
        line_total: Option<Money>,
        /// `customer`, `provider`.
        include_for: Vec<String>,
        /// How many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quantity: Option<serde_json::Number>,
        /// Which part.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percentage: Option<serde_json::Number>,
        /// How many of each seat.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        units: Option<serde_json::Number>,
        /// How many seats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seats: Option<u32>,
        /// It takes back another line.
        reversal: bool,
    }

    /// A review of a transaction.
    Review {
        /// What it says.
        content: String,
        /// Whom it is about.
        subject: User,
    }

    /// A booked time.
    Booking {
        /// When it begins.
        start: Date,
        /// When it ends.
        end: Date,
        /// The beginning that is shown.
        #[serde(rename = "displayStart")]
        display_start: Date,
        /// The end that is shown.
        #[serde(rename = "displayEnd")]
        display_end: Date,
        /// How many seats.
        seats: u32,
        /// `booking-state/...`.
        state: String,
    }

    /// Stock that is reserved.
    StockReservation {
        /// How much.
        quantity: u64,
        /// `stock-reservation-state/...`.
        state: String,
    }

    /// A transition that comes by itself.
    DelayedTransition {
        /// When.
        run_at: Date,
    }

    /// A listing.
    Listing {
        /// Id.
        id: String,
        /// Title.
        title: String,
        /// When it can be booked.
        availability_plan: Option<AvailabilityPlan>,
        /// How much there is.
        current_stock: Option<Stock>,
        /// Extended data.
        private_data: Map<String, Json>,
        /// Extended data.
        public_data: Map<String, Json>,
        /// Extended data.
        metadata: Map<String, Json>,
    }

    /// When a listing can be booked.
    AvailabilityPlan {
        /// `availability-plan/time` or `availability-plan/day`.
        r#type: String,
        /// Name of the time zone, of a plan by time.
        timezone: Option<String>,
    }

    /// Stock of a listing.
    Stock {
        /// How much.
        quantity: u64,
    }

    /// An instant in UTC.
    Date {
        /// Year.
        year: i32,
        /// Month, 1 to 12.
        month: u8,
        /// Day of the month.
        day: u8,
        /// Hour, 0 to 23.
        hours: u8,
        /// Minute.
        minutes: u8,
        /// Second.
        seconds: u8,
        /// Millisecond.
        milliseconds: u16,
    }
}

/// Permissions that changed: `permission/allow` or `permission/deny`; none: as before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangedPermissions {
    /// To read what others offer.
    pub read: Option<String>,
    /// To publish listings.
    pub post_listings: Option<String>,
    /// To start transactions.
    pub initiate_transactions: Option<String>,
}

/// Money in major units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// 32.13 for 3213 cents.
    pub amount: serde_json::Number,
    /// Currency code.
    pub currency: String,
}

impl From<MinorMoney> for Money {
    fn from(money: MinorMoney) -> Self {
        let digits = crate::locale::numbers::currency_digits(money.currency.as_str());
        let unit = 10_i64.pow(u32::from(digits.unsigned_abs()));
        let amount = if money.amount % unit == 0 {
            (money.amount / unit).into()
        } else {
            // A decimal of up to fifteen digits survives the way through a float.
            let text = format!(
                "{}{}.{:0width$}",
                if money.amount < 0 { "-" } else { "" },
                money.amount.unsigned_abs() / unit.unsigned_abs(),
                money.amount.unsigned_abs() % unit.unsigned_abs(),
                width = usize::from(digits.unsigned_abs()),
            );
            let float = text.parse().unwrap_or_default();
            serde_json::Number::from_f64(float).unwrap_or_else(|| 0.into())
        };
        Self {
            amount,
            currency: money.currency.to_string(),
        }
    }
}

impl From<Timestamp> for Date {
    fn from(at: Timestamp) -> Self {
        let instant = jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or_default();
        let json = crate::locale::dates::to_json(instant);
        serde_json::from_value(json).unwrap_or_default()
    }
}

impl User {
    /// A person with names as they may stand in a mail.
    pub fn new(id: impl std::fmt::Display, first: &str, last: &str, display: &str) -> Self {
        Self {
            id: id.to_string(),
            first_name: shown(first),
            last_name: shown(last),
            display_name: shown(display),
            ..Self::default()
        }
    }
}

/// A name for a mail: not longer than 64 characters, and nothing in it that a mail program makes a
/// link of: an invisible space stands behind a dot or slashes within a word.
fn shown(name: &str) -> String {
    let mut out = String::new();
    let mut characters = name.chars().take(NAME_MAX).peekable();
    while let Some(c) = characters.next() {
        out.push(c);
        let goes_on = characters.peek().is_some_and(|next| !next.is_whitespace());
        if matches!(c, '.' | '/' | ':' | '@') && goes_on {
            out.push('\u{200b}');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::Currency;

    #[test]
    fn money_is_in_major_units() {
        for (amount, currency, expected) in [
            (3213, "EUR", "32.13"),
            (-910, "EUR", "-9.1"),
            (-5, "EUR", "-0.05"),
            (8100, "USD", "81"),
            (810, "JPY", "810"),
            (1234, "KWD", "1.234"),
            (999_999_999_999_999, "EUR", "9999999999999.99"),
        ] {
            let money = MinorMoney::new(amount, Currency::parse(currency).unwrap());
            assert_eq!(Money::from(money).amount.to_string(), expected);
        }
    }

    #[test]
    fn instants_are_objects() {
        let date = Date::from(Timestamp::parse("2017-12-01T18:30:05.007Z").unwrap());
        assert_eq!((date.year, date.month, date.day), (2017, 12, 1));
        assert_eq!(
            (date.hours, date.minutes, date.seconds, date.milliseconds),
            (18, 30, 5, 7)
        );
    }

    // contract: security S54
    #[test]
    fn a_name_is_no_link() {
        let user = User::new("x", "http://x.y", &"z".repeat(100), "J. R. R.");
        assert_eq!(
            user.first_name,
            "http:\u{200b}/\u{200b}/\u{200b}x.\u{200b}y"
        );
        assert_eq!(user.last_name.len(), 64);
        assert_eq!(user.display_name, "J. R. R.");
    }
}
