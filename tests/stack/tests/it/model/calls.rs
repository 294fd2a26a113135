//! One case: what it asks for, and whether the answers fit the model.

use super::reference::{Answer, Call, Id, Person, Reference, Step};
use crate::world::World;
use futures::future::join_all;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;
use stoa_testkit::callers::Session;
use stoa_testkit::http::Reply;
use stoa_types::{Entropy as _, SeededEntropy};
use tokio::time::Instant;

/// Addresses of a case; people come and go under them.
const EMAILS: usize = 2;
/// Most sessions that a case looks after.
const SESSIONS: usize = 6;
/// How long what a change does to everybody's rights may take to be seen.
const SOON: Duration = Duration::from_secs(2);

/// A case, and what it knows of the marketplace's answers.
pub(super) struct Case<'w> {
    world: &'w World,
    seed: u64,
    entropy: SeededEntropy,
    operator: &'w str,
    anonymous: &'w str,
    /// What may be true after all the answers.
    states: Vec<Reference>,
    /// What was made by calls that succeeded.
    made: Mutex<Made>,
    steps: Vec<Vec<Step>>,
    next: Id,
}

#[derive(Default)]
struct Made {
    /// Ids of users.
    people: BTreeMap<Id, String>,
    tokens: BTreeMap<Id, Session>,
    trusted: BTreeMap<Id, String>,
}

impl<'w> Case<'w> {
    pub(super) fn new(world: &'w World, seed: u64, operator: &'w str, anonymous: &'w str) -> Self {
        Self {
            world,
            seed,
            entropy: SeededEntropy::new(seed),
            operator,
            anonymous,
            states: vec![Reference::default()],
            made: Mutex::default(),
            steps: Vec::new(),
            next: 0,
        }
    }

    /// Everybody of this case, with what may be true of them.
    pub(super) fn people(&self) -> Vec<(String, Vec<Person>)> {
        let made = self.made.lock().unwrap();
        let people = made.people.iter();
        people
            .map(|(id, user)| {
                let states = self.states.iter();
                (user.clone(), states.map(|s| s.people[id].clone()).collect())
            })
            .collect()
    }

    pub(super) fn calls(&self) -> usize {
        self.next
    }

    /// Plays the case.
    pub(super) async fn run(&mut self) {
        let opening = [
            Call::SignUp {
                email: 0,
                loud: false,
            },
            Call::LogIn {
                email: 0,
                password: 0,
            },
        ];
        for call in opening {
            self.round(vec![vec![call]]).await;
        }
        for _ in 0..self.below(6) + 4 {
            let lines = (0..self.below(3) + 1).map(|_| self.line()).collect();
            self.round(lines).await;
        }
    }

    fn below(&self, bound: u32) -> u32 {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes);
        u32::from_le_bytes(bytes) % bound
    }

    fn one_of<T: Copy>(&self, from: &[T]) -> Option<T> {
        let count = u32::try_from(from.len()).unwrap();
        (count > 0).then(|| from[self.below(count) as usize])
    }

    /// Calls that one caller makes one after the other.
    fn line(&self) -> Vec<Call> {
        let made = self.made.lock().unwrap();
        let people: Vec<Id> = made.people.keys().copied().collect();
        let tokens: Vec<Id> = made.tokens.keys().copied().collect();
        let email = self.below(u32::try_from(EMAILS).unwrap()) as usize;
        let password = self.password();
        let token = self.one_of(&tokens);
        let person = self.one_of(&people);
        let by_email = Call::LogIn { email, password };
        let call = match (self.below(24), token, person) {
            (0..3, _, _) => Call::SignUp {
                email,
                loud: self.below(2) == 0,
            },
            (3..8, _, _) if self.states[0].sessions() < SESSIONS => by_email,
            (8..12, Some(token), _) => Call::Refresh { token },
            (12..14, Some(token), _) => Call::Update {
                token,
                value: self.below(1000),
            },
            (14..16, Some(token), _) => Call::ChangePassword {
                token,
                current: password,
                // Another one: the same again is a change, too, but cannot be told from none.
                new: 1 - password,
            },
            (16..18, Some(token), _) => Call::LogOut { token },
            (18..20, _, Some(person)) => Call::Ban { person },
            (20..22, _, Some(person)) => Call::Unban { person },
            (22, _, Some(person)) => Call::Delete { person },
            (23, Some(token), _) => {
                return vec![
                    Call::Exchange { token },
                    // The id of the exchange is not known yet.
                    Call::DeleteOwn {
                        trusted: Id::MAX,
                        password,
                    },
                ];
            }
            (_, Some(token), _) => Call::Show { token },
            _ => by_email,
        };
        vec![call]
    }

    fn password(&self) -> u8 {
        // Mostly a right one.
        u8::try_from(self.below(5) / 3).unwrap()
    }

    /// Makes the calls at once, one line beside the other, and compares.
    async fn round(&mut self, lines: Vec<Vec<Call>>) {
        let mut numbered = Vec::new();
        for line in lines {
            let mut calls = Vec::new();
            for call in line {
                let call = match call {
                    Call::DeleteOwn { password, .. } => Call::DeleteOwn {
                        trusted: self.next - 1,
                        password,
                    },
                    call => call,
                };
                calls.push((self.next, call));
                self.next += 1;
            }
            numbered.push(calls);
        }
        let this = &*self;
        let made = join_all(numbered.into_iter().map(|line| async move {
            let mut steps = Vec::new();
            for (id, call) in line {
                let answer = this.make(id, call).await;
                steps.push(Step { id, call, answer });
                if answer.status != 200 {
                    break;
                }
            }
            steps
        }))
        .await;
        let lines: Vec<&[Step]> = made.iter().map(Vec::as_slice).collect();
        let mut found = Vec::new();
        for state in &self.states {
            state.after(&lines, &mut found);
        }
        let before = std::mem::replace(&mut self.states, found);
        self.steps.extend(made);
        assert!(
            !self.states.is_empty(),
            "no order explains the last calls\n{self}\nbefore: {before:#?}"
        );
        self.world.settle().await;
        self.look().await;
    }

    /// What everybody may do is what one of the states says, soon.
    async fn look(&mut self) {
        let until = Instant::now() + SOON;
        loop {
            let seen = self.seen().await;
            let fits = |state: &Reference| {
                let mut state = state.clone();
                seen.iter()
                    .all(|(call, answer)| state.apply(Id::MAX, *call) == *answer)
            };
            let fitting: Vec<Reference> = self.states.iter().filter(|s| fits(s)).cloned().collect();
            if !fitting.is_empty() {
                self.states = fitting;
                return;
            }
            assert!(
                Instant::now() < until,
                "what everybody may do is not what it should be: {seen:?}\n{self}\nstates: {:#?}",
                self.states
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// What the newest token of each session can do, without changing anything.
    async fn seen(&self) -> Vec<(Call, Answer)> {
        let tokens: Vec<Id> = {
            let made = self.made.lock().unwrap();
            let state = &self.states[0];
            let newest = made.tokens.keys().map(|id| (state.session_of(*id), *id));
            newest.collect::<BTreeMap<Id, Id>>().into_values().collect()
        };
        let mut seen = Vec::new();
        for token in tokens {
            let show = Call::Show { token };
            let shown = self.make(Id::MAX, show).await;
            seen.push((show, shown));
            if let Some((_, value)) = shown.shown {
                let update = Call::Update { token, value };
                seen.push((update, self.make(Id::MAX, update).await));
            }
        }
        seen
    }

    /// Makes a call.
    async fn make(&self, id: Id, call: Call) -> Answer {
        let world = self.world;
        let access = |token: Id| self.made.lock().unwrap().tokens[&token].access.clone();
        let reply = match call {
            Call::SignUp { email, loud } => {
                let email = self.email(email);
                let body = json!({
                    "email": if loud { email.to_uppercase() } else { email },
                    "password": password(0), "firstName": "Model", "lastName": "Person",
                    "publicData": { "value": 0 },
                });
                let path = "/v1/api/current_user/create";
                let reply = world.command(path, self.anonymous, &body).await;
                if reply.status == 200 {
                    let mut made = self.made.lock().unwrap();
                    made.people.insert(id, reply.id());
                }
                reply
            }
            Call::LogIn { email, password: n } => {
                let reply = world.try_log_in(&self.email(email), &password(n)).await;
                self.keep(id, &reply);
                reply
            }
            Call::Refresh { token } => {
                let refresh = self.made.lock().unwrap().tokens[&token].refresh.clone();
                let reply = world.refresh(&refresh).await;
                self.keep(id, &reply);
                reply
            }
            Call::Show { token } => {
                let path = "/v1/api/current_user/show";
                let reply = world.read(path, &access(token)).await;
                if reply.status == 200 {
                    let attributes = &reply.json()["data"]["attributes"];
                    let value = attributes["profile"]["publicData"]["value"].as_u64();
                    let value = u32::try_from(value.expect("a number")).unwrap();
                    return Answer {
                        status: 200,
                        shown: Some((attributes["banned"] == true, value)),
                    };
                }
                reply
            }
            Call::Update { token, value } => {
                let body = json!({ "publicData": { "value": value } });
                let path = "/v1/api/current_user/update_profile";
                world.command(path, &access(token), &body).await
            }
            Call::ChangePassword {
                token,
                current,
                new,
            } => {
                let body =
                    json!({ "currentPassword": password(current), "newPassword": password(new) });
                let path = "/v1/api/current_user/change_password";
                world.command(path, &access(token), &body).await
            }
            Call::Exchange { token } => {
                let reply = world.try_exchange(&access(token)).await;
                if reply.status == 200 {
                    let trusted = reply.json()["access_token"].as_str().unwrap().to_owned();
                    self.made.lock().unwrap().trusted.insert(id, trusted);
                }
                reply
            }
            Call::DeleteOwn {
                trusted,
                password: n,
            } => {
                let token = self.made.lock().unwrap().trusted[&trusted].clone();
                let body = json!({ "currentPassword": password(n) });
                let path = "/v1/api/current_user/delete";
                world.command(path, &token, &body).await
            }
            Call::LogOut { token } => {
                let session = self.made.lock().unwrap().tokens[&token].clone();
                world.log_out(&session).await
            }
            Call::Ban { person } => self.operate("ban", person).await,
            Call::Unban { person } => self.operate("unban", person).await,
            Call::Delete { person } => self.operate("delete", person).await,
        };
        Answer {
            status: reply.status,
            shown: None,
        }
    }

    async fn operate(&self, verb: &str, person: Id) -> Reply {
        let user = self.made.lock().unwrap().people[&person].clone();
        let path = format!("/v1/operator_api/users/{verb}");
        let body = json!({ "id": user });
        self.world.command(&path, self.operator, &body).await
    }

    fn keep(&self, id: Id, reply: &Reply) {
        if reply.status == 200 {
            let session = stoa_testkit::callers::session(reply);
            self.made.lock().unwrap().tokens.insert(id, session);
        }
    }

    fn email(&self, number: usize) -> String {
        format!("model-{}-{number}@example.com", self.seed)
    }
}

fn password(number: u8) -> String {
    format!("correct horse {number}")
}

impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "case {}", self.seed)?;
        for (number, line) in self.steps.iter().enumerate() {
            writeln!(f, "{number}: {line:?}")?;
        }
        Ok(())
    }
}
