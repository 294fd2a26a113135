//! States and the ways between them.

use super::{Listing, State};

/// The listing is in a state that does not allow the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the listing is {}", .0.name())]
pub(crate) struct WrongState(pub(crate) State);

impl Listing {
    fn step(&self, from: State, to: State) -> Result<Self, WrongState> {
        if self.state != from {
            return Err(WrongState(self.state));
        }
        Ok(Self {
            state: to,
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// A draft goes on the market, or waits for approval where the marketplace asks for it.
    pub(crate) fn publish(&self, needs_approval: bool) -> Result<Self, WrongState> {
        self.step(State::Draft, first_public_state(needs_approval))
    }

    /// A draft is thrown away.
    pub(crate) fn discard(&self) -> Result<Self, WrongState> {
        match self.state {
            State::Draft => Ok(self.marker()),
            other => Err(WrongState(other)),
        }
    }

    /// An operator lets a listing on the market.
    pub(crate) fn approve(&self) -> Result<Self, WrongState> {
        self.step(State::PendingApproval, State::Published)
    }

    /// Off the market.
    pub(crate) fn close(&self) -> Result<Self, WrongState> {
        self.step(State::Published, State::Closed)
    }

    /// Back on the market; it was approved once and needs no second approval.
    pub(crate) fn open(&self) -> Result<Self, WrongState> {
        self.step(State::Closed, State::Published)
    }
}

/// State of a listing that its author publishes.
pub(crate) const fn first_public_state(needs_approval: bool) -> State {
    if needs_approval {
        State::PendingApproval
    } else {
        State::Published
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::listing::tests::a_listing;

    type Step = fn(&Listing) -> Result<Listing, WrongState>;

    // contract: listings L5, L7, L8, L9, L11
    #[test]
    fn every_step_has_one_state_that_it_starts_from() {
        let steps: [(&str, Step, State, State); 5] = [
            (
                "publish",
                |l| l.publish(false),
                State::Draft,
                State::Published,
            ),
            (
                "publish with approval",
                |l| l.publish(true),
                State::Draft,
                State::PendingApproval,
            ),
            (
                "approve",
                Listing::approve,
                State::PendingApproval,
                State::Published,
            ),
            ("close", Listing::close, State::Published, State::Closed),
            ("open", Listing::open, State::Closed, State::Published),
        ];
        for (name, step, from, to) in steps {
            for state in State::ALL {
                let listing = Listing {
                    state,
                    ..a_listing(1)
                };
                match step(&listing) {
                    Ok(next) => {
                        assert_eq!((state, next.state), (from, to), "{name}");
                        assert_eq!(next.version, 2);
                    }
                    Err(WrongState(now)) => {
                        assert_eq!(now, state);
                        assert_ne!(state, from, "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn only_a_draft_can_be_discarded() {
        for state in State::ALL {
            let discarded = Listing {
                state,
                ..a_listing(1)
            }
            .discard();
            assert_eq!(discarded.is_ok_and(|l| l.deleted), state == State::Draft);
        }
    }
}
