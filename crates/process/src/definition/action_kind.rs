//! The fifty actions that definitions may name, with their configuration and parameters.
//!
//! Names as the public CLI knows them in version 1.17. An action stands here before it can run:
//! definitions that use it are valid, and reaching it is refused by the engine.

use super::config::ConfigSchema;

/// One parameter of an action or transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its key in `params`.
    pub name: &'static str,
    /// The type of its value.
    pub kind: ParamKind,
    /// Must be given.
    pub required: bool,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A UUID as text.
    Uuid,
    /// An instant as ISO 8601 text.
    Timestamp,
    /// A whole number, not below `min`.
    Integer {
        /// The smallest that is allowed.
        min: i64,
    },
    /// A rating from 1 to 5.
    Rating,
    /// A text.
    Text,
    /// The text of a review, at most 5000 characters.
    ReviewText,
    /// `true` or `false`.
    Boolean,
    /// Extended data: an object of at most 50 KB.
    Object,
    /// `{"amount": minor units, "currency": "EUR"}`.
    Money,
    /// An array.
    Array,
    /// Line items, at most 50.
    LineItems,
}

impl ParamKind {
    /// The name of the type in descriptions of parameters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Timestamp => "timestamp",
            Self::Integer { .. } | Self::Rating => "integer",
            Self::Text | Self::ReviewText => "string",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Money => "money",
            Self::Array | Self::LineItems => "array",
        }
    }
}

/// What running an action takes beside the run itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing outside the database.
    Plain,
    /// Seats or stock, held by the owner of the listing.
    Hold,
    /// The payment provider.
    Payment,
    /// Payment actions of former times that no installation runs.
    Legacy,
}

const fn required(name: &'static str, kind: ParamKind) -> Param {
    Param {
        name,
        kind,
        required: true,
    }
}

const fn optional(name: &'static str, kind: ParamKind) -> Param {
    Param {
        name,
        kind,
        required: false,
    }
}

const UNITS: &[Param] = &[
    required("quantity1", ParamKind::Integer { min: 0 }),
    required("quantity2", ParamKind::Integer { min: 0 }),
];
const OFFER: &[Param] = &[required("negotiatedTotal", ParamKind::Money)];
const QUANTITY: &[Param] = &[required("quantity", ParamKind::Integer { min: 1 })];
const PROTECTED_DATA: &[Param] = &[optional("protectedData", ParamKind::Object)];
const METADATA: &[Param] = &[optional("metadata", ParamKind::Object)];
const FILES: &[Param] = &[optional("protectedFileAttachments", ParamKind::Array)];
const PAYMENT: &[Param] = &[
    optional("paymentMethod", ParamKind::Text),
    optional("setupPaymentMethodForSaving", ParamKind::Boolean),
];
const PUSH_PAYMENT: &[Param] = &[
    required("paymentMethodTypes", ParamKind::Array),
    optional("paymentMethod", ParamKind::Text),
];
const LINE_ITEMS: &[Param] = &[required("lineItems", ParamKind::LineItems)];
const BOOKING: &[Param] = &[
    required("bookingStart", ParamKind::Timestamp),
    required("bookingEnd", ParamKind::Timestamp),
    optional("bookingDisplayStart", ParamKind::Timestamp),
    optional("bookingDisplayEnd", ParamKind::Timestamp),
    optional("seats", ParamKind::Integer { min: 1 }),
];
const BOOKING_CHANGE: &[Param] = &[
    optional("bookingStart", ParamKind::Timestamp),
    optional("bookingEnd", ParamKind::Timestamp),
    optional("bookingDisplayStart", ParamKind::Timestamp),
    optional("bookingDisplayEnd", ParamKind::Timestamp),
    optional("seats", ParamKind::Integer { min: 1 }),
];
const STOCK: &[Param] = &[required(
    "stockReservationQuantity",
    ParamKind::Integer { min: 1 },
)];
const REVIEW: &[Param] = &[
    required("reviewRating", ParamKind::Rating),
    required("reviewContent", ParamKind::ReviewText),
];

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $need:ident, $schema:ident, $params:expr;)*) => {
        /// An action by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ActionKind {
            $($(#[$doc])* $variant,)*
        }

        impl ActionKind {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name without its colon.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it takes to run it.
            pub const fn need(self) -> Need {
                match self {
                    $(Self::$variant => Need::$need,)*
                }
            }

            /// Its parameters.
            pub const fn params(self) -> &'static [Param] {
                match self {
                    $(Self::$variant => $params,)*
                }
            }

            pub(super) const fn config_schema(self) -> ConfigSchema {
                match self {
                    $(Self::$variant => ConfigSchema::$schema,)*
                }
            }
        }
    };
}

actions! {
    /// `:action.initializer/init-listing-tx`
    InitListingTx = "action.initializer/init-listing-tx", Plain, None, &[];
    /// `:action/privileged-set-line-items`
    PrivilegedSetLineItems = "action/privileged-set-line-items", Plain, None, LINE_ITEMS;
    /// `:action/set-line-items-and-total`
    SetLineItemsAndTotal = "action/set-line-items-and-total", Plain, None, LINE_ITEMS;
    /// `:action/set-negotiated-total-price`
    SetNegotiatedTotalPrice = "action/set-negotiated-total-price", Plain, None, OFFER;
    /// `:action/calculate-tx-nightly-total-price`
    CalculateTxNightlyTotalPrice = "action/calculate-tx-nightly-total-price", Plain, None, &[];
    /// `:action/calculate-tx-daily-total-price`
    CalculateTxDailyTotalPrice = "action/calculate-tx-daily-total-price", Plain, None, &[];
    /// `:action/calculate-tx-total-daily-booking-exclude-start`
    CalculateTxTotalDailyBookingExcludeStart =
        "action/calculate-tx-total-daily-booking-exclude-start", Plain, None, &[];
    /// `:action/calculate-tx-unit-total-price`
    CalculateTxUnitTotalPrice = "action/calculate-tx-unit-total-price", Plain, None, QUANTITY;
    /// `:action/calculate-tx-two-units-total-price`
    CalculateTxTwoUnitsTotalPrice =
        "action/calculate-tx-two-units-total-price", Plain, Multipliers, UNITS;
    /// `:action/calculate-tx-total`
    CalculateTxTotal = "action/calculate-tx-total", Plain, Commission, &[];
    /// `:action/calculate-tx-nightly-total`
    CalculateTxNightlyTotal = "action/calculate-tx-nightly-total", Plain, Commission, &[];
    /// `:action/calculate-tx-daily-total`
    CalculateTxDailyTotal = "action/calculate-tx-daily-total", Plain, Commission, &[];
    /// `:action/calculate-tx-customer-commission`
    CalculateTxCustomerCommission =
        "action/calculate-tx-customer-commission", Plain, Commission, &[];
    /// `:action/calculate-tx-provider-commission`
    CalculateTxProviderCommission =
        "action/calculate-tx-provider-commission", Plain, Commission, &[];
    /// `:action/calculate-tx-customer-fixed-commission`
    CalculateTxCustomerFixedCommission =
        "action/calculate-tx-customer-fixed-commission", Plain, FixedCommission, &[];
    /// `:action/calculate-tx-provider-fixed-commission`
    CalculateTxProviderFixedCommission =
        "action/calculate-tx-provider-fixed-commission", Plain, FixedCommission, &[];
    /// `:action/calculate-full-refund`
    CalculateFullRefund = "action/calculate-full-refund", Plain, None, &[];
    /// `:action/create-pending-booking`
    CreatePendingBooking = "action/create-pending-booking", Hold, Booking, BOOKING;
    /// `:action/create-proposed-booking`
    CreateProposedBooking = "action/create-proposed-booking", Hold, Booking, BOOKING;
    /// `:action/create-booking`
    CreateBooking = "action/create-booking", Hold, ObservedBooking, BOOKING;
    /// `:action/accept-booking`
    AcceptBooking = "action/accept-booking", Hold, None, &[];
    /// `:action/decline-booking`
    DeclineBooking = "action/decline-booking", Hold, None, &[];
    /// `:action/cancel-booking`
    CancelBooking = "action/cancel-booking", Hold, None, &[];
    /// `:action/update-booking`
    UpdateBooking = "action/update-booking", Hold, Booking, BOOKING_CHANGE;
    /// `:action/create-pending-stock-reservation`
    CreatePendingStockReservation = "action/create-pending-stock-reservation", Hold, None, STOCK;
    /// `:action/create-proposed-stock-reservation`
    CreateProposedStockReservation = "action/create-proposed-stock-reservation", Hold, None, STOCK;
    /// `:action/accept-stock-reservation`
    AcceptStockReservation = "action/accept-stock-reservation", Hold, None, &[];
    /// `:action/decline-stock-reservation`
    DeclineStockReservation = "action/decline-stock-reservation", Hold, None, &[];
    /// `:action/cancel-stock-reservation`
    CancelStockReservation = "action/cancel-stock-reservation", Hold, None, &[];
    /// `:action/post-review-by-customer`
    PostReviewByCustomer = "action/post-review-by-customer", Plain, None, REVIEW;
    /// `:action/post-review-by-provider`
    PostReviewByProvider = "action/post-review-by-provider", Plain, None, REVIEW;
    /// `:action/publish-reviews`
    PublishReviews = "action/publish-reviews", Plain, None, &[];
    /// `:action/update-protected-data`
    UpdateProtectedData = "action/update-protected-data", Plain, None, PROTECTED_DATA;
    /// `:action/privileged-update-metadata`
    PrivilegedUpdateMetadata = "action/privileged-update-metadata", Plain, None, METADATA;
    /// `:action/reveal-customer-protected-data`
    RevealCustomerProtectedData = "action/reveal-customer-protected-data", Plain, KeyMapping, &[];
    /// `:action/reveal-provider-protected-data`
    RevealProviderProtectedData = "action/reveal-provider-protected-data", Plain, KeyMapping, &[];
    /// `:action/reveal-listing-protected-files`
    RevealListingProtectedFiles = "action/reveal-listing-protected-files", Plain, None, &[];
    /// `:action/update-protected-files`
    UpdateProtectedFiles = "action/update-protected-files", Plain, None, FILES;
    /// `:action/stripe-create-payment-intent`
    StripeCreatePaymentIntent =
        "action/stripe-create-payment-intent", Payment, PaymentIntent, PAYMENT;
    /// `:action/stripe-create-payment-intent-push`
    StripeCreatePaymentIntentPush =
        "action/stripe-create-payment-intent-push", Payment, None, PUSH_PAYMENT;
    /// `:action/stripe-confirm-payment-intent`
    StripeConfirmPaymentIntent = "action/stripe-confirm-payment-intent", Payment, None, &[];
    /// `:action/stripe-capture-payment-intent`
    StripeCapturePaymentIntent = "action/stripe-capture-payment-intent", Payment, None, &[];
    /// `:action/stripe-create-payout`
    StripeCreatePayout = "action/stripe-create-payout", Payment, None, &[];
    /// `:action/stripe-refund-payment`
    StripeRefundPayment = "action/stripe-refund-payment", Payment, None, &[];
    /// `:action/stripe-refund-charge`
    StripeRefundCharge = "action/stripe-refund-charge", Payment, None, &[];
    /// `:action/stripe-create-charge`
    StripeCreateCharge = "action/stripe-create-charge", Legacy, None, &[];
    /// `:action/stripe-create-charge-pi`
    StripeCreateChargePi = "action/stripe-create-charge-pi", Legacy, None, &[];
    /// `:action/stripe-capture-charge`
    StripeCaptureCharge = "action/stripe-capture-charge", Legacy, None, &[];
    /// `:action/stripe-capture-charge-pi`
    StripeCaptureChargePi = "action/stripe-capture-charge-pi", Legacy, None, &[];
    /// `:action/fail`
    Fail = "action/fail", Plain, None, &[];
}

impl ActionKind {
    /// The action of a name without colon, or nothing when there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// True for the actions that only a trusted caller may run.
    pub const fn is_privileged(self) -> bool {
        matches!(
            self,
            Self::PrivilegedSetLineItems | Self::PrivilegedUpdateMetadata
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_fifty_names_of_the_cli_are_known_once_each() {
        let names: HashSet<_> = ActionKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!((ActionKind::ALL.len(), names.len()), (50, 50));
        for kind in ActionKind::ALL {
            assert_eq!(ActionKind::parse(kind.name()), Some(*kind));
        }
        assert_eq!(ActionKind::parse("action/unknown"), None);
    }
}
