//! The command line of `stoa api`, made from the routes of the gateway and the words of the table.

use super::table::{Column, Kind, OPEN, Param, RESOURCES, VERBS, Verb};
use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use serde_json::{Map, Value};
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use stoa_gateway::route_infos;

/// `stoa api ...`.
#[derive(Debug)]
pub(crate) struct Api {
    pub(super) place: Place,
    pub(super) what: What,
}

/// Where the API is, and how the answer is wanted.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) url: Option<String>,
    pub(super) session: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) json: bool,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum What {
    Login {
        email: Option<String>,
        password: Option<PathBuf>,
    },
    Logout,
    Call(Request),
}

/// A call of a route.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// Nothing: a query.
    pub(super) body: Option<Value>,
    pub(super) columns: &'static [Column],
    /// Needs no login.
    pub(super) is_open: bool,
}

/// A route as a command.
struct Known {
    path: &'static str,
    is_query: bool,
    verb: Option<&'static Verb>,
}

/// Every route of the operator API, and the one that needs no login.
fn known() -> Vec<Known> {
    let verb = |path: &str| VERBS.iter().find(|verb| verb.path == path);
    let mut all: Vec<Known> = route_infos()
        .filter(|route| route.api == stoa_gateway::Api::Operator)
        .map(|route| Known {
            path: route.path,
            is_query: route.method == "GET",
            verb: verb(route.path),
        })
        .collect();
    all.push(Known {
        path: OPEN,
        is_query: false,
        verb: verb(OPEN),
    });
    all
}

impl Args for Api {
    fn augment_args(command: Command) -> Command {
        let place = [
            Arg::new("url")
                .long("url")
                .env("STOA_URL")
                .global(true)
                .help("Address of the installation; else that of the login"),
            Arg::new("session")
                .long("session")
                .env("STOA_SESSION")
                .value_parser(value_parser!(PathBuf))
                .global(true)
                .help("File of the login [default: stoa/session.json below ~/.config]"),
            Arg::new("ca")
                .long("ca")
                .env("STOA_CA")
                .value_parser(value_parser!(PathBuf))
                .global(true)
                .help("File of authorities to trust besides the usual ones"),
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .global(true)
                .help("Prints the answer as it came"),
        ];
        let login = Command::new("login")
            .about("Logs an operator in and keeps the session")
            .arg(
                Arg::new("email")
                    .long("email")
                    .help("E-mail address; asked for when it is missing"),
            )
            .arg(
                Arg::new("password-file")
                    .long("password-file")
                    .value_parser(value_parser!(PathBuf))
                    .help("File of the password, - for standard input; else it is typed unseen"),
            );
        let mut command = command
            .args(place)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand(login)
            .subcommand(Command::new("logout").about("Ends the session that is kept"));
        let known = known();
        let mut resources: Vec<&str> = Vec::new();
        for route in &known {
            let (resource, _) = parts(route.path);
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        }
        for resource in resources {
            let about = RESOURCES.iter().find(|(name, _)| *name == resource);
            let mut group = Command::new(kebab(resource))
                .about(about.map_or("", |(_, about)| *about))
                .subcommand_required(true)
                .arg_required_else_help(true);
            for route in known.iter().filter(|route| parts(route.path).0 == resource) {
                group = group.subcommand(command_of(route));
            }
            command = command.subcommand(group);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// `users/ban`: the resource and what is done to it.
fn parts(path: &'static str) -> (&'static str, &'static str) {
    path.split_once('/').unwrap_or((path, ""))
}

/// `rotate_secret` and `revokeNow` as words of a command line.
fn kebab(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        match c {
            '_' => out.push('-'),
            c if c.is_ascii_uppercase() => {
                out.push('-');
                out.push(c.to_ascii_lowercase());
            }
            c => out.push(c),
        }
    }
    out
}

fn command_of(route: &Known) -> Command {
    let command = Command::new(kebab(parts(route.path).1));
    let Some(verb) = route.verb else {
        let about = format!("Calls {}", route.path);
        return match route.is_query {
            true => command.about(about).arg(
                Arg::new("query")
                    .long("query")
                    .value_name("NAME=VALUE")
                    .action(ArgAction::Append)
                    .help("A parameter"),
            ),
            false => command.about(about).arg(
                Arg::new("body")
                    .required(true)
                    .value_name("JSON")
                    .help("The parameters, as a JSON object; - reads them from standard input"),
            ),
        };
    };
    command
        .about(verb.about)
        .args(verb.params.iter().map(arg_of))
}

fn arg_of(param: &Param) -> Arg {
    let long = match param.kind {
        Kind::Secret => format!("{}-file", kebab(param.name)),
        _ => kebab(param.name),
    };
    let arg = Arg::new(param.name).help(param.help).long(long);
    match param.kind {
        // What a command is about stands by itself.
        Kind::Text if param.name == "id" && param.required => Arg::new("id")
            .help(param.help)
            .value_name("ID")
            .required(true),
        Kind::Text => arg.required(param.required),
        Kind::Number => arg
            .required(param.required)
            .value_parser(value_parser!(i64))
            .value_name("NUMBER"),
        Kind::Flag => arg.action(ArgAction::SetTrue),
        Kind::Truth => arg
            .value_parser(value_parser!(bool))
            .value_name("true|false"),
        Kind::List => arg
            .required(param.required)
            .action(ArgAction::Append)
            .value_delimiter(',')
            .value_name("A,B"),
        Kind::Json => arg.required(param.required).value_name("JSON"),
        Kind::Secret => arg
            .value_parser(value_parser!(PathBuf))
            .value_name("FILE")
            .help(format!(
                "{}: a file, - for standard input; else it is typed unseen",
                param.help
            )),
    }
}

impl FromArgMatches for Api {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let wrong = |why: String| clap::Error::raw(ErrorKind::ValueValidation, format!("{why}\n"));
        let (name, below) = matches
            .subcommand()
            .ok_or_else(|| wrong("what is to be done?".to_owned()))?;
        let leaf = match name {
            "login" | "logout" => below,
            _ => below.subcommand().map_or(below, |(_, leaf)| leaf),
        };
        let place = Place {
            url: leaf.get_one("url").cloned(),
            session: leaf.get_one("session").cloned(),
            ca: leaf.get_one("ca").cloned(),
            json: leaf.get_flag("json"),
        };
        let what = match name {
            "login" => What::Login {
                email: leaf.get_one("email").cloned(),
                password: leaf.get_one("password-file").cloned(),
            },
            "logout" => What::Logout,
            resource => {
                let verb = below.subcommand_name().unwrap_or_default();
                let route = known().into_iter().find(|route| {
                    let (of, does) = parts(route.path);
                    kebab(of) == resource && kebab(does) == verb
                });
                let route = route.ok_or_else(|| wrong(format!("{resource} {verb}")))?;
                What::Call(request_of(&route, leaf).map_err(|why| wrong(format!("{why:#}")))?)
            }
        };
        Ok(Self { place, what })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn request_of(route: &Known, matches: &ArgMatches) -> anyhow::Result<Request> {
    let mut request = Request {
        path: route.path.to_owned(),
        query: Vec::new(),
        body: None,
        columns: route.verb.map_or(&[], |verb| verb.columns),
        is_open: route.path == OPEN,
    };
    let Some(verb) = route.verb else {
        if route.is_query {
            for pair in matches.get_many::<String>("query").into_iter().flatten() {
                let (name, value) = pair.split_once('=').context("--query: NAME=VALUE")?;
                request.query.push((name.to_owned(), value.to_owned()));
            }
            return Ok(request);
        }
        let text: &String = matches.get_one("body").context("no parameters")?;
        let text = if text == "-" {
            standard_input()?
        } else {
            text.clone()
        };
        let body: Value = serde_json::from_str(&text).context("the parameters are no JSON")?;
        anyhow::ensure!(body.is_object(), "the parameters are no JSON object");
        request.body = Some(body);
        return Ok(request);
    };
    let mut values: Map<String, Value> = Map::new();
    for param in verb.params {
        if let Some(value) = value_of(param, matches)? {
            values.insert(param.name.to_owned(), value);
        }
    }
    if route.is_query {
        request.query = values
            .into_iter()
            .map(|(name, value)| (name, in_query(&value)))
            .collect();
    } else {
        request.body = Some(Value::Object(values));
    }
    Ok(request)
}

fn in_query(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(in_query).collect();
            items.join(",")
        }
        other => other.to_string(),
    }
}

fn value_of(param: &Param, matches: &ArgMatches) -> anyhow::Result<Option<Value>> {
    let name = param.name;
    Ok(match param.kind {
        Kind::Text => matches
            .get_one::<String>(name)
            .map(|text| text.clone().into()),
        Kind::Number => matches.get_one::<i64>(name).map(|number| (*number).into()),
        Kind::Flag => matches.get_flag(name).then_some(true.into()),
        Kind::Truth => matches.get_one::<bool>(name).map(|truth| (*truth).into()),
        Kind::List => matches
            .get_many::<String>(name)
            .map(|items| items.map(|item| Value::from(item.clone())).collect()),
        Kind::Json => match matches.get_one::<String>(name) {
            None => None,
            Some(text) => {
                let parsed = serde_json::from_str(text);
                Some(parsed.with_context(|| format!("--{} is no JSON", kebab(name)))?)
            }
        },
        Kind::Secret => {
            let file: Option<&PathBuf> = matches.get_one(name);
            Some(secret(param.help, file.map(PathBuf::as_path))?.into())
        }
    })
}

/// A secret: of a file, of standard input for `-`, or typed where nobody sees it.
pub(super) fn secret(what: &str, file: Option<&Path>) -> anyhow::Result<String> {
    let text = match file {
        Some(file) if file == Path::new("-") => standard_input()?,
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?,
        None if std::io::stdin().is_terminal() => {
            rpassword::prompt_password(format!("{what}: ")).context("nothing was typed")?
        }
        None => anyhow::bail!("{what}: give a file, or sit at a terminal"),
    };
    // A line of a file ends, a password does not.
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn standard_input() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("standard input is closed")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(line: &str) -> Result<Api, clap::Error> {
        let command = Api::augment_args(Command::new("api"));
        let words = std::iter::once("api").chain(line.split_whitespace());
        Api::from_arg_matches(&command.try_get_matches_from(words)?)
    }

    fn call(line: &str) -> Request {
        match parse(line).unwrap().what {
            What::Call(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Api::augment_args(Command::new("api")).debug_assert();
    }

    #[test]
    fn commands_have_bodies_and_queries_have_parameters() {
        let ban = call("users ban 5b3b71fa --reason rude");
        assert_eq!(ban.path, "users/ban");
        assert_eq!(
            ban.body,
            Some(json!({ "id": "5b3b71fa", "reason": "rude" }))
        );
        let rotate = call("applications rotate-secret a1 --revoke-now");
        assert_eq!(rotate.body, Some(json!({ "id": "a1", "revokeNow": true })));
        let create = call("applications create --kind internal --name x --actions a,b --actions c");
        assert_eq!(
            create.body,
            Some(json!({ "kind": "internal", "name": "x", "actions": ["a", "b", "c"] }))
        );
        let query = call("users query --states active,banned --page 2 --created-at-start 2026");
        assert_eq!(query.body, None);
        let expected = [
            ("states", "active,banned"),
            ("createdAtStart", "2026"),
            ("page", "2"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query.query, expected);
        assert!(!query.is_open);
        let json = call("search-schemas set --scope public --key k --schema-type long --default 5");
        assert_eq!(json.body.unwrap()["default"], 5);
    }

    #[test]
    fn wrong_use_is_refused_before_anything_is_sent() {
        for line in [
            "",
            "users",
            "users fly",
            "users ban",
            "users query --page x",
            "applications create --kind internal",
            "search-schemas set --scope public --key k --schema-type long --default {",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn secrets_come_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, " a secret \n").unwrap();
        let file = file.display();
        let reset = call(&format!(
            "operators reset-password --token-file {file} --new-password-file {file}"
        ));
        assert!(reset.is_open);
        let body = json!({ "token": " a secret ", "newPassword": " a secret " });
        assert_eq!(reset.body, Some(body));
    }
}
