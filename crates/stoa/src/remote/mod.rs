//! `stoa api`: the operator API from a shell, on any machine.
//!
//! Every command stands for one route; [`table`] says what it takes and how its answer is shown, and
//! a route that is not in the table can be called all the same, with its parameters in JSON. A login
//! is kept in a file that nobody else may read; its access token is refreshed when it is over.

mod args;
mod http;
mod session;
mod show;
mod table;

pub(crate) use args::Api;

use anyhow::{Context as _, anyhow, bail};
use http::{Answer, Client};
use serde_json::{Value, json};
use session::{Session, SessionFile};
use std::io::{IsTerminal as _, Write as _};
use stoa_types::{Clock as _, SystemClock};

/// Where the API is and who calls it.
struct Remote {
    file: SessionFile,
    session: Session,
    client: Client,
}

impl Remote {
    /// With the login that is kept.
    fn open(place: &args::Place) -> anyhow::Result<Self> {
        let file = SessionFile::at(place.session.clone())?;
        let session = file
            .read()?
            .ok_or_else(|| anyhow!("not logged in: run `stoa api login` first"))?;
        if let Some(url) = &place.url
            && http::base(url)? != session.url
        {
            bail!("the login that is kept is one at {}", session.url);
        }
        let client = Client::new(&session.url, place.ca.as_deref())?;
        Ok(Self {
            file,
            session,
            client,
        })
    }

    /// Calls a route; a token that is over is refreshed once.
    async fn call(&mut self, request: &args::Request) -> anyhow::Result<Value> {
        let now = SystemClock.now().as_secs();
        if self.session.expires_s <= now + 30 {
            self.refresh().await?;
        }
        let mut answer = self.send(request).await?;
        if answer.status == 401 {
            self.refresh().await?;
            answer = self.send(request).await?;
        }
        answer.expect_success()
    }

    async fn send(&self, request: &args::Request) -> anyhow::Result<Answer> {
        let token = Some(self.session.access_token.as_str());
        let path = format!("/v1/operator_api/{}", request.path);
        match &request.body {
            None => self.client.get(&path, &request.query, token).await,
            Some(body) => self.client.post(&path, body, token).await,
        }
    }

    async fn refresh(&mut self) -> anyhow::Result<()> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.session.refresh_token.as_str()),
        ];
        let answer = self.client.form("/v1/auth/token", &fields, None).await?;
        if answer.status == 401 {
            bail!("the login is over: run `stoa api login` again");
        }
        self.session = Session::of(&self.session.url, &answer.expect_success()?)?;
        self.file.write(&self.session)
    }
}

/// Runs what was asked for.
async fn run(api: Api) -> anyhow::Result<()> {
    match api.what {
        args::What::Login { email, password } => login(&api.place, email, password).await,
        args::What::Logout => logout(&api.place).await,
        args::What::Call(request) => {
            let answer = if request.is_open {
                open_call(&api.place, &request).await?
            } else {
                Remote::open(&api.place)?.call(&request).await?
            };
            let text = if api.place.json {
                format!("{answer:#}\n")
            } else {
                show::answer(&answer, request.columns)
            };
            std::io::stdout()
                .write_all(text.as_bytes())
                .context("standard output is closed")
        }
    }
}

async fn login(
    place: &args::Place,
    email: Option<String>,
    password: Option<std::path::PathBuf>,
) -> anyhow::Result<()> {
    let file = SessionFile::at(place.session.clone())?;
    let url = match &place.url {
        Some(url) => http::base(url)?,
        None => {
            let known = file.read()?.map(|session| session.url);
            known.context("--url: where is the installation?")?
        }
    };
    let client = Client::new(&url, place.ca.as_deref())?;
    let email = match email {
        Some(email) => email,
        None => ask("E-mail address: ")?,
    };
    let password = args::secret("Password", password.as_deref())?;
    let fields = [
        ("grant_type", "password"),
        ("scope", "operator"),
        ("username", email.as_str()),
        ("password", password.as_str()),
    ];
    let answer = client.form("/v1/auth/token", &fields, None).await?;
    if answer.status == 401 {
        bail!("address or password are wrong");
    }
    let session = Session::of(&url, &answer.expect_success()?)?;
    file.write(&session)?;
    let told = if place.json {
        format!("{:#}\n", json!({ "url": url, "session": file.path() }))
    } else {
        format!(
            "Logged in at {url}. The session is kept in {}.\n",
            file.path().display()
        )
    };
    std::io::stdout()
        .write_all(told.as_bytes())
        .context("standard output is closed")
}

async fn logout(place: &args::Place) -> anyhow::Result<()> {
    let remote = Remote::open(place)?;
    let fields = [("token", remote.session.refresh_token.as_str())];
    let token = Some(remote.session.access_token.as_str());
    let answer = remote.client.form("/v1/auth/revoke", &fields, token).await;
    remote.file.remove()?;
    let answer = answer?;
    // A token that is over cannot end its session, which ends by itself.
    if answer.status != 401 {
        answer.expect_success()?;
    }
    Ok(())
}

/// A command that needs no login.
async fn open_call(place: &args::Place, request: &args::Request) -> anyhow::Result<Value> {
    let url = place
        .url
        .as_deref()
        .context("--url: where is the installation?")?;
    let client = Client::new(&http::base(url)?, place.ca.as_deref())?;
    let path = format!("/v1/operator_api/{}", request.path);
    let body = request.body.as_ref().context("a command has a body")?;
    client.post(&path, body, None).await?.expect_success()
}

/// A line from whoever sits there.
fn ask(what: &str) -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!("--email: who logs in?");
    }
    write!(std::io::stderr(), "{what}").context("standard error is closed")?;
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("standard input is closed")?;
    Ok(line.trim().to_owned())
}

/// Runs `stoa api`; wrong use ends the process with exit code 2.
pub(crate) fn main(api: Api) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no threads")?
        .block_on(run(api))
}
