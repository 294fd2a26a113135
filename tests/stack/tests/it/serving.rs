//! What the server promises beside the APIs: health, metrics, logs, connections, its end.

use crate::routes::rows;
use crate::socket::Socket;
use crate::soon;
use crate::world::{Mode, Setup, World};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use stoa_testkit::http::Client;
use tokio::net::TcpStream;
use tokio::time::Instant;

// contract: security S70
async fn health_is_public_and_metrics_are_on_the_management_address(mode: Mode) {
    let world = World::on_with(
        mode,
        Setup {
            closed_metrics: true,
            ..Setup::default()
        },
    )
    .await;
    let management = Client::new(&format!("http://{}", world.management));
    for client in [&world.http, &management] {
        let health = client.get("/healthz").send().await.expect(200);
        assert_eq!(health.text(), "ok\n");
        let ready = client.get("/readyz").send().await.expect(200);
        assert_eq!(ready.text(), "ready\n");
    }
    let token = world.anonymous().await;
    world
        .read("/v1/api/listings/query", &token)
        .await
        .expect(200);
    world.http.get("/metrics").send().await.expect(404);
    let metrics = management.get("/metrics").send().await.expect(200).text();
    assert!(metrics.contains("listings/query"), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    // The management address serves no API.
    for row in rows() {
        row.call(&management).token(&token).send().await.expect(404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_development_process_shows_its_metrics_on_the_public_address() {
    let open = World::start().await;
    open.http.get("/metrics").send().await.expect(200);
}

// contract: security S4, security S68
async fn every_request_is_one_structured_line_without_what_the_client_sent(mode: Mode) {
    let setup = Setup {
        every_line: true,
        ..Setup::default()
    };
    let world = World::on_with(mode, setup).await;
    let fields = json!({ "email": "marked-address@example.com" });
    let person = world.sign_up_with("markedname", fields).await;
    let trusted = world.trusted(person.token()).await;
    let operator = world.operator().await;
    let calls = [
        ("/v1/api/current_user/show", "current_user/show", 200),
        (
            "/v1/api/listings/query?keywords=markedquery",
            "listings/query",
            200,
        ),
        ("/v1/api/users/show?id=markedquery", "users/show", 400),
        (
            "/v1/integration_api/users/query?email=markedquery",
            "users/query",
            403,
        ),
        (
            "/v1/api/marketplace/show?access_token=markedquery",
            "marketplace/show",
            400,
        ),
    ];
    for (path, _, status) in calls {
        world.read(path, person.token()).await.expect(status);
    }
    let body = json!({ "publicData": { "a": "markedbody" }, "bio": "markedbody" });
    let update = "/v1/api/current_user/update_profile";
    world
        .command(update, person.token(), &body)
        .await
        .expect(200);
    let path = "/v1/operator_api/users/show?email=marked-address%40example.com";
    world.read(path, &operator.access).await.expect(200);
    let text = world.log();
    let written: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"] == "Request" && line["actor.user"] == *person.id)
        .collect();
    assert_eq!(written.len(), calls.len() + 1, "{written:#?}");
    for (fields, (_, route, status)) in written.iter().zip(calls) {
        assert_eq!(fields["http.route"], route);
        assert_eq!(fields["http.status"], status);
        assert_eq!(fields["http.method"], "GET");
        assert_eq!(fields["actor.level"], "user");
        assert!(fields["duration_us"].is_u64());
        assert_eq!(fields["request.id"].as_str().map(str::len), Some(36));
    }
    let secrets = [
        person.token(),
        &person.session.refresh,
        &trusted,
        &operator.access,
        &operator.refresh,
        world.credential("marketplaceClientSecret"),
        world.credential("operatorPassword"),
        stoa_testkit::callers::PASSWORD,
        "marked-address",
        "markedname",
        "markedquery",
        "markedbody",
    ];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

// contract: wire 2.1
async fn large_answers_are_zipped_for_those_who_take_it(mode: Mode) {
    let world = World::on(mode).await;
    let person = world.sign_up("seller").await;
    let body = json!({ "title": "Bike", "description": "word ".repeat(900) });
    let create = "/v1/api/own_listings/create";
    let id = world
        .command(create, person.token(), &body)
        .await
        .expect(200)
        .id();
    let path = format!("/v1/api/own_listings/show?id={id}");
    let plain = world.read(&path, person.token()).await.expect(200);
    assert_eq!(plain.header("content-encoding"), "");
    for accepted in [
        "gzip, compress, deflate, br",
        "gzip, deflate",
        "br;q=1.0, gzip;q=0.8",
    ] {
        let call = world.http.get(&path).token(person.token());
        let zipped = call
            .header("accept-encoding", accepted)
            .send()
            .await
            .expect(200);
        assert_eq!(zipped.header("content-encoding"), "gzip", "{accepted}");
        assert!(zipped.body.len() < plain.body.len() / 4);
        assert_eq!(zipped.json(), plain.json());
    }
    for accepted in ["identity", "br", "gzip;q=0"] {
        let call = world.http.get(&path).token(person.token());
        let reply = call
            .header("accept-encoding", accepted)
            .send()
            .await
            .expect(200);
        assert_eq!(reply.header("content-encoding"), "", "{accepted}");
    }
    let small = world
        .http
        .get("/v1/api/marketplace/show")
        .token(person.token());
    let small = small
        .header("accept-encoding", "gzip")
        .send()
        .await
        .expect(200);
    assert_eq!(small.header("content-encoding"), "");
}

// contract: wire W15, wire 5.1, auth 36
async fn browsers_may_ask_first_and_only_where_they_belong(mode: Mode) {
    let world = World::on(mode).await;
    let preflight = async |path: &str| {
        let call = world.http.call(Method::OPTIONS, path);
        let call = call
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            );
        call.send().await.expect(204)
    };
    for path in [
        "/v1/api/listings/query",
        "/v1/api/own_listings/create",
        "/v1/auth/token",
        "/v1/auth/revoke",
    ] {
        let reply = preflight(path).await;
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert_eq!(reply.header("access-control-max-age"), "86400");
        assert_eq!(reply.header("access-control-allow-credentials"), "");
        for method in ["GET", "POST", "OPTIONS"] {
            assert!(
                reply
                    .header("access-control-allow-methods")
                    .contains(method)
            );
        }
        let allowed = reply
            .header("access-control-allow-headers")
            .to_ascii_lowercase();
        for header in [
            "authorization",
            "content-type",
            "accept",
            "x-transit-verbose",
            "x-requested-with",
        ] {
            assert!(allowed.contains(header), "{header}");
        }
        assert!(reply.body.is_empty());
    }
    for path in [
        "/v1/integration_api/users/query",
        "/v1/operator_api/users/ban",
    ] {
        let reply = preflight(path).await;
        assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    }
    let head = world
        .http
        .call(Method::HEAD, "/v1/api/marketplace/show")
        .send()
        .await;
    assert_eq!(head.status, 404);
    assert!(head.body.is_empty());
}

// contract: wire W18, wire 5
async fn a_thousand_requests_go_over_one_connection(mode: Mode) {
    let world = World::on(mode).await;
    let token = world.anonymous().await;
    let mut socket = Socket::open(world.address).await;
    for n in 0..1000 {
        let path = if n % 10 == 9 {
            "unknown/path"
        } else {
            "marketplace/show"
        };
        let request = format!(
            "GET /v1/api/{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: bearer {token}\r\n\r\n",
            world.address
        );
        socket.send(&request).await;
        let (head, _) = socket.answer().await;
        let expected = if n % 10 == 9 { "404" } else { "200" };
        assert!(
            head.starts_with(&format!("HTTP/1.1 {expected}")),
            "{n}: {head}"
        );
        assert!(!head.contains("connection: close"), "{n}: {head}");
    }
}

// contract: security S71
async fn a_foreign_host_is_refused_whatever_is_asked(mode: Mode) {
    let world = World::on(mode).await;
    let token = world.anonymous().await;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:80",
        "stoa",
    ] {
        for row in rows() {
            let call = row.call(&world.http).token(&token).header("host", host);
            let reply = call.send().await.expect(421);
            assert!(!reply.errors().is_empty(), "{}", reply.text());
        }
        for method in [Method::POST, Method::OPTIONS] {
            let call = world
                .http
                .call(method, "/v1/auth/token")
                .header("host", host);
            call.send().await.expect(421);
        }
    }
    let port = world.address.port();
    for host in [
        "localhost".to_owned(),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
    ] {
        let call = world.http.get("/v1/api/marketplace/show").token(&token);
        call.header("host", &host).send().await.expect(200);
    }
}

// A release build must be ready within one second; this is a debug build on a busy machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marketplace_is_ready_soon_after_its_start() {
    let started = Instant::now();
    let world = World::start().await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    // Ready means that everything answers.
    let person = world.sign_up("early").await;
    let listing = world.listing(&person, "Early").await;
    let buyer = world.sign_up("buyer").await;
    world.inquiry(&buyer, &listing, json!({})).await;
    let operator = world.operator().await.access;
    world
        .read("/v1/operator_api/users/query", &operator)
        .await
        .expect(200);
}

async fn a_running_request_is_finished_before_the_server_stops(mode: Mode) {
    let world = World::on(mode).await;
    let person = world.sign_up("writer").await;
    let body = r#"{"title":"The last one"}"#;
    let (first, rest) = body.split_at(8);
    let mut socket = Socket::open(world.address).await;
    let create = "/v1/api/own_listings/create";
    socket.begin(create, person.token(), body.len()).await;
    socket.send(first).await;
    // The head is read once the server has had a turn.
    world.http.get("/healthz").send().await.expect(200);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let stopping = async {
        world.stop_edge().await;
        Instant::now()
    };
    let finishing = async {
        // No new connection is served any more.
        soon(|| async { TcpStream::connect(world.address).await.is_err() }).await;
        socket.send(rest).await;
        let (head, body) = socket.answer().await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head} {body}");
        Instant::now()
    };
    let both = async { tokio::join!(stopping, finishing) };
    let (stopped, answered) = tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("the server does not stop");
    assert!(stopped >= answered || answered.duration_since(stopped) < Duration::from_millis(50));
    let db = world
        .database("listings", stoa_listings::migrations())
        .await;
    let titles = stoa_db::sql("SELECT title FROM listings");
    let (title,): (String,) = db.one_as(titles).await.unwrap();
    assert_eq!(title, "The last one");
}

// contract: security S72, security S5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_virtual_clock_moves_domain_time_and_no_token() {
    let world = World::start_with(Setup {
        virtual_clock: true,
        ..Setup::default()
    })
    .await;
    let (seller, buyer) = (world.sign_up("seller").await, world.sign_up("buyer").await);
    let operator = world.operator().await.access;
    let listing = world.listing(&seller, "Sauna").await;
    let trusted = world.trusted(buyer.token()).await;
    let body = json!({
        "processAlias": "free-request/release-1",
        "transition": "transition/request",
        "params": {
            "listingId": listing,
            "lineItems": [{
                "code": "line-item/evening", "quantity": 1,
                "unitPrice": { "amount": 5000, "currency": "EUR" },
                "includeFor": ["customer", "provider"],
            }],
        },
    });
    let initiate = "/v1/api/transactions/initiate";
    let id = world
        .command(initiate, &trusted, &body)
        .await
        .expect(200)
        .id();
    let path = format!("/v1/api/transactions/show?id={id}");
    let state = async || {
        let shown = world.read(&path, buyer.token()).await.expect(200).json();
        shown["data"]["attributes"]["lastTransition"].clone()
    };
    let advance = async |seconds: i64| {
        let body = json!({ "seconds": seconds });
        let path = "/v1/operator_api/clock/advance";
        world.command(path, &operator, &body).await
    };
    assert_eq!(state().await, "transition/request");
    advance(5 * 86_400).await.expect(200);
    assert_eq!(state().await, "transition/request");
    // What became due has run when the answer comes.
    advance(2 * 86_400).await.expect(200);
    assert_eq!(state().await, "transition/expire");
    for backwards in [0, -1] {
        advance(backwards).await.expect(400);
    }
    // Ten days more: no token is a second older.
    advance(10 * 86_400).await.expect(200);
    for token in [buyer.token(), &trusted] {
        world
            .read("/v1/api/current_user/show", token)
            .await
            .expect(200);
    }
    world.refresh(&seller.session.refresh).await.expect(200);
    let later = world.listing(&seller, "Later").await;
    let path = format!("/v1/api/own_listings/show?id={later}");
    let shown = world.read(&path, seller.token()).await.expect(200).json();
    let created = shown["data"]["attributes"]["createdAt"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/api/own_listings/show?id={listing}");
    let shown = world.read(&path, seller.token()).await.expect(200).json();
    let before = shown["data"]["attributes"]["createdAt"].as_str().unwrap();
    assert!(*created > *before);
    let days = |text: &str| stoa_types::Timestamp::parse(text).unwrap().as_secs() / 86_400;
    assert!((17..=18).contains(&(days(&created) - days(before))));
    // Real time ends them.
    world.later(2 * 3_600_000);
    world
        .read("/v1/api/current_user/show", buyer.token())
        .await
        .expect(401);
}

crate::in_both_modes! {
    health_is_public_and_metrics_are_on_the_management_address,
    every_request_is_one_structured_line_without_what_the_client_sent,
    large_answers_are_zipped_for_those_who_take_it,
    browsers_may_ask_first_and_only_where_they_belong,
    a_thousand_requests_go_over_one_connection,
    a_foreign_host_is_refused_whatever_is_asked,
    a_running_request_is_finished_before_the_server_stops,
}
