//! The token of the program: asked for over HTTP, good for two minutes.

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

/// What is needed of the answer of the token endpoint; `expires_in` says when to ask again.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
}

/// Asks the gateway for a service token by id and secret of an internal application.
///
/// # Errors
/// When the gateway is out of reach or refuses: 401 for a wrong id or secret, or an application of
/// another kind.
pub(crate) async fn fetch(gateway: &str, id: &str, secret: &str) -> anyhow::Result<String> {
    let form = format!(
        "grant_type=client_credentials&scope=service&client_id={}&client_secret={}",
        escaped(id),
        escaped(secret)
    );
    let request = Request::post(format!("{}/v1/auth/token", gateway.trim_end_matches('/')))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(Full::new(Bytes::from(form)))?;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    anyhow::ensure!(status.is_success(), "it answers {status}");
    let answer: Answer = serde_json::from_slice(&body).context("its answer cannot be read")?;
    Ok(answer.access_token)
}

/// A value of a form: everything but letters, digits and `-_.~` as `%XX`.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_of_a_form_are_escaped() {
        assert_eq!(super::escaped("scs_a-1"), "scs_a-1");
        assert_eq!(super::escaped("a b&c=é"), "a%20b%26c%3D%C3%A9");
    }
}
