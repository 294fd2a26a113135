//! What a server is filled with before it is measured.

use crate::connection::{Connection, Request};
use crate::load::CONNECTIONS;
use crate::server::Server;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Password of everybody.
pub(crate) const PASSWORD: &str = "correct-horse-battery";
/// People who have listings.
const AUTHORS: usize = 20;
/// Longest wait until the search shows what was created.
const INDEXING: Duration = Duration::from_secs(30);

/// A person who is logged in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

/// A server with authors, listings and search schemas.
pub(crate) struct World {
    pub(crate) server: Server,
    /// Access token of nobody.
    pub(crate) anonymous: String,
    /// Access token of the operator.
    pub(crate) operator: String,
    /// Ids of published listings.
    pub(crate) listings: Vec<String>,
    people: usize,
}

impl World {
    /// Fills a server that has just started.
    pub(crate) async fn make(server: Server, listings: usize) -> Result<Self> {
        let anonymous = anonymous_grant(&server);
        let anonymous = text(&ask(&server, &anonymous).await?, "access_token")?;
        let operator = ask(&server, &operator_grant(&server)).await?;
        let operator = text(&operator, "access_token")?;
        let mut world = Self {
            server,
            anonymous,
            operator,
            listings: Vec::new(),
            people: 0,
        };
        world.set_schemas().await?;
        let mut authors = Vec::new();
        for _ in 0..AUTHORS {
            authors.push(world.sign_up().await?);
        }
        world.create_listings(&authors, listings).await?;
        world.wait_for_search(listings).await?;
        Ok(world)
    }

    /// A new user without a session.
    async fn sign_up(&mut self) -> Result<(String, String)> {
        self.people += 1;
        let email = format!("person-{}@example.com", self.people);
        let body = json!({
            "email": email, "password": PASSWORD, "firstName": "Ada", "lastName": "Lovelace",
            "publicData": {"city": "Helsinki", "languages": ["fi", "en"]},
        });
        let request = Request::json("/v1/api/current_user/create", &body).by(&self.anonymous);
        let user = ask(&self.server, &request).await?;
        let id = user["data"]["id"].as_str().context("no id")?.to_owned();
        Ok((id, email))
    }

    /// A new user who is logged in.
    pub(crate) async fn person(&mut self) -> Result<Person> {
        let (id, email) = self.sign_up().await?;
        let login = login(&self.server, &email);
        let tokens = ask(&self.server, &login).await?;
        Ok(Person {
            id,
            email,
            token: text(&tokens, "access_token")?,
            refresh_token: text(&tokens, "refresh_token")?,
        })
    }

    /// The token of a person on a trusted server.
    pub(crate) async fn trusted(&mut self, person: &Person) -> Result<String> {
        let exchange = Request::form(
            "/v1/auth/token",
            &[
                ("grant_type", "token_exchange"),
                ("scope", "trusted:user"),
                ("client_id", self.server.credential("marketplaceClientId")),
                (
                    "client_secret",
                    self.server.credential("marketplaceClientSecret"),
                ),
                ("subject_token", &person.token),
            ],
        );
        text(&ask(&self.server, &exchange).await?, "access_token")
    }

    async fn set_schemas(&mut self) -> Result<()> {
        for (key, kind) in [
            ("category", "enum"),
            ("amenities", "multi-enum"),
            ("seats", "long"),
            ("instant", "boolean"),
            ("about", "text"),
        ] {
            let body =
                json!({"key": key, "scope": "public", "schemaType": kind, "schemaFor": "listing"});
            let request =
                Request::json("/v1/operator_api/search_schemas/set", &body).by(&self.operator);
            ask(&self.server, &request).await?;
        }
        Ok(())
    }

    async fn create_listings(&mut self, authors: &[(String, String)], count: usize) -> Result<()> {
        let grant = integration_grant(&self.server);
        let token = text(&ask(&self.server, &grant).await?, "access_token")?;
        let mut creators = JoinSet::new();
        for first in 0..CONNECTIONS {
            let mut connection = Connection::open(self.server.address).await?;
            let requests: Vec<_> = (first..count)
                .step_by(CONNECTIONS)
                .map(|i| {
                    let body = listing(i, &authors[i % authors.len()].0);
                    Request::json("/v1/integration_api/listings/create", &body).by(&token)
                })
                .collect();
            creators.spawn(async move {
                let mut ids = Vec::new();
                for request in requests {
                    let made = connection.ask(&request.bytes()).await?;
                    ids.push(made["data"]["id"].as_str().context("no id")?.to_owned());
                }
                anyhow::Ok(ids)
            });
        }
        while let Some(ids) = creators.join_next().await {
            self.listings.extend(ids??);
        }
        Ok(())
    }

    async fn wait_for_search(&mut self, count: usize) -> Result<()> {
        let request = Request::get("/v1/api/listings/query?perPage=1").by(&self.anonymous);
        let started = Instant::now();
        while started.elapsed() < INDEXING {
            let page = ask(&self.server, &request).await?;
            if page["meta"]["totalItems"] == json!(count) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the search does not show the {count} listings");
    }
}

/// Asks once, on a connection of its own: the server closes those that rest for long.
async fn ask(server: &Server, request: &Request) -> Result<Value> {
    let mut connection = Connection::open(server.address).await?;
    connection.ask(&request.bytes()).await
}

/// The anonymous grant.
pub(crate) fn anonymous_grant(server: &Server) -> Request {
    Request::form(
        "/v1/auth/token",
        &[
            ("grant_type", "client_credentials"),
            ("scope", "public-read"),
            ("client_id", server.credential("marketplaceClientId")),
        ],
    )
}

/// The login of the operator.
pub(crate) fn operator_grant(server: &Server) -> Request {
    Request::form(
        "/v1/auth/token",
        &[
            ("grant_type", "password"),
            ("scope", "operator"),
            ("username", server.credential("operatorEmail")),
            ("password", server.credential("operatorPassword")),
        ],
    )
}

/// The grant of the integration application.
pub(crate) fn integration_grant(server: &Server) -> Request {
    Request::form(
        "/v1/auth/token",
        &[
            ("grant_type", "client_credentials"),
            ("scope", "integ"),
            ("client_id", server.credential("integrationClientId")),
            (
                "client_secret",
                server.credential("integrationClientSecret"),
            ),
        ],
    )
}

/// The login of a user.
pub(crate) fn login(server: &Server, email: &str) -> Request {
    Request::form(
        "/v1/auth/token",
        &[
            ("grant_type", "password"),
            ("scope", "user"),
            ("client_id", server.credential("marketplaceClientId")),
            ("username", email),
            ("password", PASSWORD),
        ],
    )
}

/// The text below a key of an answer.
pub(crate) fn text(answer: &Value, key: &str) -> Result<String> {
    answer[key]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("no {key} in {answer}"))
}

/// A listing of ordinary size: a page of text and about 600 bytes of extended data.
fn listing(i: usize, author: &str) -> Value {
    const CATEGORIES: [&str; 8] = [
        "sauna", "cabin", "boat", "bike", "tent", "canoe", "van", "studio",
    ];
    const AMENITIES: [&str; 10] = [
        "wifi", "parking", "towels", "kitchen", "heating", "view", "shower", "grill", "pier",
        "washer",
    ];
    let amenities: Vec<_> = (0..4).map(|n| AMENITIES[(i * 3 + n) % 10]).collect();
    json!({
        "title": format!("{} number {i} by the lake", CATEGORIES[i % 8]),
        "description": "A quiet place with a fire, a view over the water and everything that a \
             weekend needs. The road is open all year, the key is in the box beside the door, and \
             the neighbours are far enough away that nobody minds music in the evening. ",
        "authorId": author,
        "state": "published",
        "price": {"amount": 1000 + (i * 37) % 20_000, "currency": "EUR"},
        "geolocation": {
            "lat": 60.0 + (i % 100) as f64 * 0.01,
            "lng": 24.0 + (i / 100 % 100) as f64 * 0.01,
        },
        "publicData": {
            "category": CATEGORIES[i % 8],
            "amenities": amenities,
            "seats": i % 12 + 1,
            "instant": i.is_multiple_of(3),
            "about": "Warm, clean and close to the water",
            "address": {"street": format!("Rantatie {i}"), "city": "Kuopio", "zip": "70100"},
            "rules": ["No smoking indoors", "Leave the keys where you found them",
                      "Take your rubbish with you", "Be kind to the neighbours"],
            "cancellation": "flexible", "checkIn": "15:00", "checkOut": "11:00",
            "size": {"area": 42, "rooms": 3, "beds": 5},
        },
        "privateData": {"doorCode": "4711", "note": "The spare key is with the neighbour"},
        "metadata": {"rank": i % 10, "checked": true},
    })
}
