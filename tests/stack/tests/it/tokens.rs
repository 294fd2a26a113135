//! Tokens that are none of ours, seen from outside.

use crate::parts::Parts;
use crate::routes::rows;
use crate::world::{Mode, World};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use stoa_db::sql;
use stoa_gateway::Api;
use stoa_proto::Class;
use stoa_rpc::access_token::TYP;
use stoa_rpc::keys::SigningKey;
use stoa_testkit::callers::Marketplace;
use stoa_types::OsEntropy;
use stoa_types::id::RequestId;

/// Header and claims of a token.
fn parts_of(token: &str) -> (Value, Value, String) {
    let mut parts = token.split('.');
    let mut next = || parts.next().unwrap();
    let decoded = |part: &str| serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap();
    (decoded(next()), decoded(next()), next().to_owned())
}

fn encoded(part: &Value) -> String {
    BASE64.encode(part.to_string())
}

/// Every endpoint answers 401 to this token.
async fn assert_dead_everywhere(marketplace: &Marketplace, token: &str, why: &str) {
    for row in rows() {
        let reply = row.call(&marketplace.http).token(token).send().await;
        assert_eq!(reply.status, 401, "{why}: {} {}", reply.what, reply.text());
        assert_eq!(reply.codes(), ["auth-invalid-access-token"], "{why}");
    }
}

// contract: security S1
async fn forged_tokens_are_dead_everywhere(mode: Mode) {
    let world = World::on(mode).await;
    let user = world.sign_up("user").await.session.access;
    let (header, claims, signature) = parts_of(&user);
    let db = world.database("auth", stoa_auth::migrations()).await;
    let (kid, public): (String, Vec<u8>) = db
        .one_as(sql(
            "SELECT kid, public_key FROM signing_keys WHERE state = 'active'",
        ))
        .await
        .unwrap();
    assert_eq!(header["kid"], *kid);

    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        format!("{}.{}.{signature}", encoded(&header), encoded(&claims))
    };
    let unsigned = |header: Value| format!("{}.{}.", encoded(&header), encoded(&claims));
    // The public key as the secret of a symmetric signature.
    let mut symmetric = Header::new(Algorithm::HS256);
    symmetric.kid = Some(kid.clone());
    symmetric.typ = Some(TYP.to_owned());
    let confused = |secret: &[u8]| {
        jsonwebtoken::encode(&symmetric, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(&public)
    );
    // Signed well, with a key of our own.
    let stranger = SigningKey::generate(&OsEntropy);
    let own_kid = stranger.sign(TYP, &claims).unwrap();
    let (mut own_header, _, own_signature) = parts_of(&own_kid);
    own_header["kid"] = json!(kid);
    let borrowed_kid = format!(
        "{}.{}.{own_signature}",
        encoded(&own_header),
        encoded(&claims)
    );
    let mut operator = claims.clone();
    operator["scope"] = json!("operator");
    operator["aud"] = json!("stoa:operator");

    let forged = [
        (
            "no algorithm",
            unsigned(json!({ "alg": "none", "typ": TYP, "kid": kid })),
        ),
        (
            "no algorithm, capital",
            unsigned(json!({ "alg": "NONE", "typ": TYP, "kid": kid })),
        ),
        ("no signature", unsigned(header.clone())),
        ("HS256 over the public key", confused(&public)),
        ("HS256 over the public key as PEM", confused(pem.as_bytes())),
        ("HS256 over the key id", confused(kid.as_bytes())),
        ("unknown key", own_kid),
        ("key id of another key", borrowed_kid),
        (
            "key id like a path",
            with("kid", json!("../../../../dev/null")),
        ),
        ("key id like SQL", with("kid", json!("' OR 1=1 --"))),
        (
            "embedded key",
            with(
                "jwk",
                json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(stranger.public()) }),
            ),
        ),
        (
            "address of keys",
            with("jku", json!("http://127.0.0.1:9/keys")),
        ),
        ("critical extension", with("crit", json!(["exp"]))),
        ("other type", with("typ", json!("JWT"))),
        ("other algorithm", with("alg", json!("RS256"))),
        (
            "claims changed",
            format!("{}.{}.{signature}", encoded(&header), encoded(&operator)),
        ),
        ("signature of another token", {
            let other = world.sign_up("other").await.session.access;
            let (header, claims, _) = parts_of(&other);
            format!("{}.{}.{signature}", encoded(&header), encoded(&claims))
        }),
        ("padding", format!("{user}=")),
        ("a fourth part", format!("{user}.{signature}")),
        ("signature cut", user[..user.len() - 2].to_owned()),
        ("too long", format!("{user}{}", "A".repeat(5000))),
        (
            "header that is no object",
            format!("{}.{}.{signature}", encoded(&json!([])), encoded(&claims)),
        ),
        ("not base64", "!!!.???.***".to_owned()),
        ("duplicate claim", {
            let twice = claims
                .to_string()
                .replacen('{', r#"{"scope":"operator","#, 1);
            format!("{}.{}.{signature}", encoded(&header), BASE64.encode(twice))
        }),
    ];
    for (why, token) in forged {
        assert_dead_everywhere(&world, &token, why).await;
    }
    // The token that they were made of is good.
    world
        .read("/v1/api/current_user/show", &user)
        .await
        .expect(200);
}

// contract: security S2, security S3
async fn kinds_of_tokens_never_stand_in_for_each_other(mode: Mode) {
    let world = World::on(mode).await;
    let person = world.sign_up("user").await;
    let integration = world.integration().await;
    let operator = world.operator().await;
    let trusted = world.trusted(person.token()).await;
    let anonymous = world.anonymous().await;
    let secrets = [
        person.session.refresh.as_str(),
        &integration.refresh,
        &operator.refresh,
        world.credential("marketplaceClientSecret"),
        world.credential("integrationClientSecret"),
        world.credential("marketplaceClientId"),
    ];
    for secret in secrets {
        assert_dead_everywhere(&world, secret, "not an access token").await;
    }
    // An access token is no refresh token, and a refresh token is one of its own application only.
    let access = [
        person.token(),
        &trusted,
        &integration.access,
        &operator.access,
        &anonymous,
    ];
    for token in access
        .into_iter()
        .chain([integration.refresh.as_str(), "x", ""])
    {
        let status = world.refresh(token).await.status;
        assert!([400, 401].contains(&status), "{status}");
    }
    world.refresh(&person.session.refresh).await.expect(200);
    // Only a user's own token can be exchanged.
    for subject in [
        &integration.access,
        &operator.access,
        &anonymous,
        &integration.refresh,
    ] {
        let fields = [
            ("grant_type", "token_exchange"),
            ("scope", "trusted:user"),
            ("client_id", world.credential("marketplaceClientId")),
            ("client_secret", world.credential("marketplaceClientSecret")),
            ("subject_token", subject.as_str()),
        ];
        world.grant(&fields).await.expect(401);
    }
    // Operators and users are not each other.
    let operator_email = world.credential("operatorEmail");
    let operator_password = world.credential("operatorPassword");
    world
        .try_log_in(operator_email, operator_password)
        .await
        .expect(401);
    let fields = [
        ("grant_type", "password"),
        ("scope", "operator"),
        ("username", person.email.as_str()),
        ("password", stoa_testkit::callers::PASSWORD),
    ];
    world.grant(&fields).await.expect(401);
}

// contract: security S64
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_internal_token_is_worth_nothing_outside() {
    let parts = Parts::with_callers().await;
    let request = RequestId::random(&OsEntropy);
    let gateway = &parts.gateway_identity;
    let internal = [
        gateway.own(Class::Command, request),
        gateway.own(Class::Read, request),
        gateway.credentials(
            &stoa_policy::Actor::operator(
                stoa_types::id::OperatorId::random(&OsEntropy),
                stoa_policy::Role::Owner,
            ),
            Class::Command,
            request,
            1,
            None,
            None,
        ),
    ];
    for credentials in internal {
        let message = credentials.request(());
        let value = message.metadata().get("authorization").unwrap();
        let token = value
            .to_str()
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap()
            .to_owned();
        assert_dead_everywhere(&parts.marketplace, &token, "an internal token").await;
    }
}

// contract: security S64
async fn headers_of_inside_mean_nothing_outside(mode: Mode) {
    let world = World::on(mode).await;
    let anonymous = world.anonymous().await;
    for row in rows().iter().filter(|row| !row.letters.contains('A')) {
        let mut call = row.call(&world.http);
        if row.api == Api::Marketplace {
            call = call.token(&anonymous);
        }
        for (name, value) in [
            ("stoa-caller", "gateway"),
            ("x-forwarded-user", "operator"),
            ("x-http-method-override", "GET"),
            ("grpc-metadata-authorization", "Bearer x"),
        ] {
            call = call.header(name, value);
        }
        let expected = if row.api == Api::Marketplace {
            403
        } else {
            401
        };
        assert_eq!(call.send().await.status, expected, "{}", row.path);
    }
}

crate::in_both_modes! {
    forged_tokens_are_dead_everywhere,
    kinds_of_tokens_never_stand_in_for_each_other,
    headers_of_inside_mean_nothing_outside,
}
