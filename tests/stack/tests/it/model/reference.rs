//! What the model says of accounts and sessions: the rules in their shortest form.

use std::collections::BTreeMap;

/// Names a call of a case, and what it made: a person, a session, a token.
pub(super) type Id = usize;

/// One call of the API.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    /// Makes a person with one of the case's addresses, spelt in one of two ways.
    SignUp {
        email: usize,
        loud: bool,
    },
    /// Opens a session.
    LogIn {
        email: usize,
        password: u8,
    },
    /// Uses the refresh token that this call got.
    Refresh {
        token: Id,
    },
    /// Looks at the own account.
    Show {
        token: Id,
    },
    /// Writes a number into the own profile.
    Update {
        token: Id,
        value: u32,
    },
    /// Sets another password.
    ChangePassword {
        token: Id,
        current: u8,
        new: u8,
    },
    /// Gets a trusted token.
    Exchange {
        token: Id,
    },
    /// Deletes the own account with the trusted token that this call got.
    DeleteOwn {
        trusted: Id,
        password: u8,
    },
    /// Ends the session.
    LogOut {
        token: Id,
    },
    /// An operator's commands.
    Ban {
        person: Id,
    },
    Unban {
        person: Id,
    },
    Delete {
        person: Id,
    },
}

/// What a call answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Of `Show`: banned, and the number in the profile.
    pub(super) shown: Option<(bool, u32)>,
}

/// A call that was made, and its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) id: Id,
    pub(super) call: Call,
    pub(super) answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) email: usize,
    pub(super) password: u8,
    pub(super) banned: bool,
    pub(super) deleted: bool,
    pub(super) value: u32,
    epoch: u32,
    /// How often the public log must say `user/updated`.
    pub(super) updates: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Session {
    person: Id,
    epoch: u32,
    /// Generation of the newest refresh tokens.
    head: u32,
    /// A ban ended the refresh tokens; access tokens live on.
    ended: bool,
    /// Logged out, or ended because a refresh token was used twice.
    dead: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    session: Id,
    generation: u32,
    used: bool,
}

/// Everything that the calls so far have made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) people: BTreeMap<Id, Person>,
    sessions: BTreeMap<Id, Session>,
    tokens: BTreeMap<Id, Token>,
    /// Trusted tokens, by the session they came from.
    trusted: BTreeMap<Id, Id>,
}

const OK: Answer = says(200);
const DEAD: Answer = says(401);
const WEAK: Answer = says(403);
const CONFLICT: Answer = says(409);

const fn says(status: u16) -> Answer {
    Answer {
        status,
        shown: None,
    }
}

impl Reference {
    /// What the call answers here, and what it makes of this.
    pub(super) fn apply(&mut self, id: Id, call: Call) -> Answer {
        match call {
            Call::SignUp { email, .. } => self.sign_up(id, email),
            Call::LogIn { email, password } => self.log_in(id, email, password),
            Call::Refresh { token } => self.refresh(id, token),
            Call::Show { token } => match self.caller(self.tokens[&token].session) {
                Some(person) => Answer {
                    status: 200,
                    shown: Some((person.banned, person.value)),
                },
                None => DEAD,
            },
            Call::Update { token, value } => self.by_user(token, |person, _| {
                if person.value != value {
                    person.value = value;
                    person.updates += 1;
                }
                OK
            }),
            Call::ChangePassword {
                token,
                current,
                new,
            } => self.by_user(token, |person, session| {
                if person.password != current {
                    return WEAK;
                }
                person.password = new;
                person.epoch += 1;
                session.epoch = person.epoch;
                OK
            }),
            Call::Exchange { token } => self.exchange(id, token),
            Call::DeleteOwn { trusted, password } => {
                let session = self.trusted[&trusted];
                match self.caller(session) {
                    None => DEAD,
                    Some(person) if person.banned || person.password != password => WEAK,
                    Some(person) => {
                        person.deleted = true;
                        OK
                    }
                }
            }
            Call::LogOut { token } => {
                let session = self.tokens[&token].session;
                if self.caller(session).is_none() {
                    return DEAD;
                }
                let session = self.sessions.get_mut(&session).unwrap();
                session.dead = true;
                OK
            }
            Call::Ban { person } => self.ban(person),
            Call::Unban { person } => {
                let person = self.people.get_mut(&person).unwrap();
                if person.deleted || !person.banned {
                    return CONFLICT;
                }
                person.banned = false;
                person.updates += 1;
                OK
            }
            Call::Delete { person } => {
                let person = self.people.get_mut(&person).unwrap();
                if person.deleted {
                    return CONFLICT;
                }
                person.deleted = true;
                OK
            }
        }
    }

    /// Every state that the calls can have led to from this one, had they come in some order that
    /// keeps each line's own, and had each answered what it answered.
    pub(super) fn after(&self, lines: &[&[Step]], found: &mut Vec<Self>) {
        if lines.iter().all(|line| line.is_empty()) {
            if !found.contains(self) {
                found.push(self.clone());
            }
            return;
        }
        for (index, line) in lines.iter().enumerate() {
            let Some((step, rest)) = line.split_first() else {
                continue;
            };
            let mut next = self.clone();
            let expected = next.apply(step.id, step.call);
            // Whoever ends a session that is just being ended is told that it has ended.
            let ends_again = matches!(step.call, Call::LogOut { .. }) && step.answer == OK;
            if expected == step.answer || (expected == DEAD && ends_again) {
                let mut lines = lines.to_vec();
                lines[index] = rest;
                next.after(&lines, found);
            }
        }
    }

    /// How many sessions were opened.
    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The session that a token belongs to.
    pub(super) fn session_of(&self, token: Id) -> Id {
        self.tokens[&token].session
    }

    /// Whose session an access token is of, if it is alive.
    fn caller(&mut self, session: Id) -> Option<&mut Person> {
        let session = &self.sessions[&session];
        let person = self.people.get_mut(&session.person).unwrap();
        let alive = !session.dead && !person.deleted && session.epoch >= person.epoch;
        alive.then_some(person)
    }

    fn by_user(
        &mut self,
        token: Id,
        act: impl FnOnce(&mut Person, &mut Session) -> Answer,
    ) -> Answer {
        let session = self.tokens[&token].session;
        match self.caller(session) {
            None => return DEAD,
            Some(person) if person.banned => return WEAK,
            Some(_) => {}
        }
        let session = self.sessions.get_mut(&session).unwrap();
        act(self.people.get_mut(&session.person).unwrap(), session)
    }

    fn sign_up(&mut self, id: Id, email: usize) -> Answer {
        if self.holder(email).is_some() {
            return CONFLICT;
        }
        let person = Person {
            email,
            password: 0,
            banned: false,
            deleted: false,
            value: 0,
            epoch: 0,
            updates: 0,
        };
        self.people.insert(id, person);
        OK
    }

    fn holder(&self, email: usize) -> Option<Id> {
        let mut people = self.people.iter();
        let held = people.find(|(_, person)| person.email == email && !person.deleted);
        held.map(|(id, _)| *id)
    }

    fn log_in(&mut self, id: Id, email: usize, password: u8) -> Answer {
        let Some(person) = self.holder(email) else {
            return DEAD;
        };
        let owner = &self.people[&person];
        if owner.password != password {
            return DEAD;
        }
        let session = Session {
            person,
            epoch: owner.epoch,
            head: 0,
            ended: false,
            dead: false,
        };
        self.sessions.insert(id, session);
        self.tokens.insert(
            id,
            Token {
                session: id,
                generation: 0,
                used: false,
            },
        );
        OK
    }

    fn refresh(&mut self, id: Id, token: Id) -> Answer {
        let owner = self.tokens[&token].session;
        if self.sessions[&owner].ended || self.caller(owner).is_none() {
            return DEAD;
        }
        let session = self.sessions.get_mut(&owner).unwrap();
        let token = self.tokens.get_mut(&token).unwrap();
        if !token.used {
            if token.generation < session.head {
                session.dead = true;
                return DEAD;
            }
            token.used = true;
            session.head += 1;
        }
        let generation = session.head;
        self.tokens.insert(
            id,
            Token {
                session: owner,
                generation,
                used: false,
            },
        );
        OK
    }

    fn exchange(&mut self, id: Id, token: Id) -> Answer {
        let session = self.tokens[&token].session;
        let ended = self.sessions[&session].ended;
        match self.caller(session) {
            None => DEAD,
            Some(person) if person.banned => WEAK,
            Some(_) if ended => DEAD,
            Some(_) => {
                self.trusted.insert(id, session);
                OK
            }
        }
    }

    fn ban(&mut self, id: Id) -> Answer {
        let person = self.people.get_mut(&id).unwrap();
        if person.deleted || person.banned {
            return CONFLICT;
        }
        person.banned = true;
        person.updates += 1;
        for session in self.sessions.values_mut() {
            session.ended |= session.person == id;
        }
        OK
    }
}
