//! Refresh families: what presenting a refresh token means.
//!
//! Parallel refreshes present the *same* token, so every answer must be a usable successor. A
//! thief presents a token whose sibling was taken, or one that was used long ago: that ends the
//! family. The window belongs to the token value, not to the family, so a thief gets no new one.

use crate::domain::lifetimes::SessionEnds;
use stoa_policy::UserState;
use stoa_types::Timestamp;
use stoa_types::id::{ClientId, OperatorId, SessionId, UserId};

/// How long a used token still yields siblings, in milliseconds.
pub(crate) const WINDOW_MS: i64 = 60_000;
/// Most successors of one token.
pub(crate) const MAX_ANSWERS: i64 = 64;

/// Whose session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionKind {
    /// A marketplace user's.
    User,
    /// An integration application's.
    Integration,
    /// An operator's.
    Operator,
}

impl SessionKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Integration => "integration",
            Self::Operator => "operator",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Integration, Self::Operator]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A session as it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) kind: SessionKind,
    pub(crate) user: Option<UserId>,
    pub(crate) client: Option<ClientId>,
    pub(crate) operator: Option<OperatorId>,
    /// The client secret that opened it.
    pub(crate) secret: Option<uuid::Uuid>,
    /// Counters at the time of authentication; every token of the session carries them.
    pub(crate) user_epoch: i64,
    pub(crate) application_epoch: i64,
    pub(crate) operator_epoch: i64,
    pub(crate) started_at: Timestamp,
    pub(crate) refreshed_at: Timestamp,
    pub(crate) absolute_end: Timestamp,
    pub(crate) ended: bool,
}

/// What auth knows of the user from the users feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserStanding {
    pub(crate) state: UserState,
    pub(crate) epoch: i64,
    pub(crate) except: Option<SessionId>,
}

/// Everything that can end a session besides its own row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// Unknown as long as no event of the user has arrived: then nothing speaks against it.
    pub(crate) user: Option<UserStanding>,
    /// The application exists, is not deleted, may refresh, and its epoch is that of the session
    /// or lower; true for operators, who have none.
    pub(crate) application_stands: bool,
    /// The secret that opened the session is not over; true where there is none.
    pub(crate) secret_stands: bool,
    /// The operator is not disabled and its epoch is that of the session or lower; true where
    /// there is none.
    pub(crate) operator_stands: bool,
}

/// A refresh token as it stands in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) generation: i64,
    pub(crate) first_used_at: Option<Timestamp>,
    pub(crate) answers: i64,
}

/// What happens to a presented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A new token of this generation, which becomes or stays the head.
    Grant {
        /// Generation of the new token.
        generation: i64,
    },
    /// 401 without effect: it was given to another application.
    WrongClient,
    /// 401 without effect: the session is over.
    Over,
    /// 429: the window has given all its answers.
    TooMany {
        /// Whole seconds until the window is over.
        retry_after_s: u32,
    },
    /// 401, and the family ends.
    Reuse,
}

impl Session {
    /// Whether the session is over at `now`, by itself or by what surrounds it.
    pub(crate) fn is_over(&self, around: &Surroundings, ends: SessionEnds, now: Timestamp) -> bool {
        self.ended
            || now >= self.absolute_end
            || now >= self.refreshed_at.plus_ms(ends.idle_s * 1000)
            || !around.application_stands
            || !around.secret_stands
            || !around.operator_stands
            || around.user.is_some_and(|user| {
                user.state == UserState::Deleted || user.outdates(self.user_epoch, self.id)
            })
    }
}

impl UserStanding {
    /// Whether tokens of this epoch and session are dead.
    pub(crate) fn outdates(&self, epoch: i64, session: SessionId) -> bool {
        epoch < self.epoch && self.except != Some(session)
    }
}

/// Rows 2 to 8 of the table; row 1 (unknown token) needs no decision.
pub(crate) fn present(
    token: &Token,
    presented_by: Option<ClientId>,
    session: &Session,
    head: i64,
    around: &Surroundings,
    ends: SessionEnds,
    now: Timestamp,
) -> Verdict {
    if presented_by != session.client {
        return Verdict::WrongClient;
    }
    if session.is_over(around, ends, now) {
        return Verdict::Over;
    }
    match token.first_used_at {
        None if token.generation == head => Verdict::Grant {
            generation: head + 1,
        },
        None => Verdict::Reuse,
        Some(first) if now.ms_since(first) <= WINDOW_MS => {
            if token.answers < MAX_ANSWERS {
                Verdict::Grant { generation: head }
            } else {
                let left = WINDOW_MS - now.ms_since(first);
                Verdict::TooMany {
                    retry_after_s: u32::try_from(left / 1000 + 1).unwrap_or(60),
                }
            }
        }
        Some(_) => Verdict::Reuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::SeededEntropy;

    const START: Timestamp = Timestamp::from_ms(1_800_000_000_000);
    const ENDS: SessionEnds = SessionEnds {
        idle_s: 1000,
        absolute_s: 5000,
    };
    const FINE: Surroundings = Surroundings {
        user: None,
        application_stands: true,
        secret_stands: true,
        operator_stands: true,
    };

    fn session() -> Session {
        let entropy = SeededEntropy::new(1);
        Session {
            id: SessionId::random(&entropy),
            kind: SessionKind::User,
            user: Some(UserId::random(&entropy)),
            client: Some(ClientId::random(&entropy)),
            operator: None,
            secret: None,
            user_epoch: 3,
            application_epoch: 0,
            operator_epoch: 0,
            started_at: START,
            refreshed_at: START,
            absolute_end: START.plus_ms(5_000_000),
            ended: false,
        }
    }

    fn token(generation: i64, used_s_ago: Option<i64>, answers: i64) -> Token {
        Token {
            generation,
            first_used_at: used_s_ago.map(|s| START.plus_ms(-s * 1000)),
            answers,
        }
    }

    fn judge(token: &Token, head: i64) -> Verdict {
        let session = session();
        present(token, session.client, &session, head, &FINE, ENDS, START)
    }

    // contract: security S10 (row 2)
    #[test]
    fn a_token_of_another_application_is_refused_without_effect() {
        let session = session();
        for other in [None, Some(ClientId::random(&SeededEntropy::new(9)))] {
            let verdict = present(&token(1, None, 0), other, &session, 1, &FINE, ENDS, START);
            assert_eq!(verdict, Verdict::WrongClient);
        }
    }

    // contract: security S10 (row 3)
    #[test]
    fn a_session_that_is_over_refreshes_no_more() {
        let good = session();
        let over = |session: &Session, around: &Surroundings, now| {
            present(
                &token(1, None, 0),
                good.client,
                session,
                1,
                around,
                ENDS,
                now,
            ) == Verdict::Over
        };
        assert!(!over(&good, &FINE, START));
        let ended = Session {
            ended: true,
            ..good.clone()
        };
        assert!(over(&ended, &FINE, START));
        for around in [
            Surroundings {
                application_stands: false,
                ..FINE
            },
            Surroundings {
                secret_stands: false,
                ..FINE
            },
            Surroundings {
                operator_stands: false,
                ..FINE
            },
        ] {
            assert!(over(&good, &around, START));
        }
        let user = |state, epoch, except| Surroundings {
            user: Some(UserStanding {
                state,
                epoch,
                except,
            }),
            ..FINE
        };
        assert!(over(&good, &user(UserState::Deleted, 3, None), START));
        assert!(over(&good, &user(UserState::Active, 4, None), START));
        assert!(!over(
            &good,
            &user(UserState::Active, 4, Some(good.id)),
            START
        ));
        // A ban ends the families of its moment; a login after it is a session like any other.
        assert!(!over(&good, &user(UserState::Banned, 3, None), START));
    }

    // contract: security S11
    #[test]
    fn idle_and_absolute_end_are_kept_to_the_second() {
        let mut session = session();
        let live = |session: &Session, at_s: i64| {
            !session.is_over(&FINE, ENDS, START.plus_ms(at_s * 1000))
        };
        assert!(live(&session, 999));
        assert!(!live(&session, 1000));
        session.refreshed_at = START.plus_ms(4_900_000);
        assert!(live(&session, 4999));
        assert!(!live(&session, 5000));
    }

    // contract: security S10 (row 4)
    #[test]
    fn the_unused_head_yields_the_next_generation() {
        assert_eq!(
            judge(&token(7, None, 0), 7),
            Verdict::Grant { generation: 8 }
        );
    }

    // contract: security S10 (row 5)
    #[test]
    fn a_token_used_in_the_last_minute_yields_a_sibling_of_the_head() {
        for (used, answers) in [(0, 1), (60, 63)] {
            assert_eq!(
                judge(&token(7, Some(used), answers), 8),
                Verdict::Grant { generation: 8 }
            );
        }
    }

    // contract: security S10 (row 6)
    #[test]
    fn the_sixty_fifth_answer_of_a_window_is_too_many() {
        assert_eq!(
            judge(&token(7, Some(10), 64), 8),
            Verdict::TooMany { retry_after_s: 51 }
        );
    }

    // contract: security S10 (row 7)
    #[test]
    fn an_unused_token_below_the_head_is_reuse() {
        assert_eq!(judge(&token(7, None, 0), 8), Verdict::Reuse);
    }

    // contract: security S10 (row 8)
    #[test]
    fn a_token_used_more_than_a_minute_ago_is_reuse() {
        assert_eq!(judge(&token(7, Some(61), 1), 8), Verdict::Reuse);
    }
}
