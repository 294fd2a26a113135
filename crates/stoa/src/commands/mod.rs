//! `stoa <command>`. Exit code 0: done; 1: refused or failed, with one line on standard error;
//! 2: wrong use.

mod adopt;
mod audit;
mod backup;
mod certs;
mod completions;
mod config;
mod dev;
mod host;
mod keys;
mod migrate;
mod operator;
mod process;
mod restore;
mod serve;
mod settings;
mod users;

use std::io::Write as _;
use std::process::ExitCode;

/// An open, self-hosted marketplace backend.
#[derive(Debug, clap::Parser)]
#[command(name = "stoa", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Runs a whole marketplace on this machine, for building a client against it.
    Dev(dev::Dev),
    /// Runs an installation: all services in this process, or one of them.
    Serve(serve::Serve),
    /// Brings every schema up to date.
    Migrate(migrate::Migrate),
    /// Moves the keys that sign access tokens.
    Keys(keys::Keys),
    /// Looks at what became of users.
    Users(users::Users),
    /// Shows and changes the settings of the marketplace.
    Settings(settings::Settings),
    /// Makes and ends operators on the host.
    Operator(operator::Operator),
    /// Looks at the audit log on the host.
    Audit(audit::Audit),
    /// Calls the operator API of a running installation, from any machine.
    Api(crate::remote::Api),
    /// Prints what a shell completes.
    Completions(completions::Completions),
    /// Makes certificates.
    Certs(certs::Certs),
    /// Looks at the configuration.
    Config(config::Config),
    /// Makes a folder of `stoa dev` one that `stoa serve` takes.
    Adopt(adopt::Adopt),
    /// Copies an installation that runs in one process, also while it does.
    Backup(backup::Backup),
    /// Makes a data folder from a backup, with all that ended since ended again.
    Restore(restore::Restore),
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Dev(dev) => dev.run(),
            Command::Serve(serve) => serve.run(),
            Command::Migrate(migrate) => migrate.run(),
            Command::Keys(keys) => keys.run(),
            Command::Users(users) => users.run(),
            Command::Settings(settings) => settings.run(),
            Command::Operator(operator) => operator.run(),
            Command::Audit(audit) => audit.run(),
            Command::Api(api) => crate::remote::main(api),
            Command::Completions(completions) => completions.run(),
            Command::Certs(certs) => certs.run(),
            Command::Config(config) => config.run(),
            Command::Adopt(adopt) => adopt.run(),
            Command::Backup(backup) => backup.run(),
            Command::Restore(restore) => restore.run(),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let mut line = error.to_string();
                for cause in error.chain().skip(1) {
                    line.push_str(": ");
                    line.push_str(&cause.to_string());
                }
                // Nobody is left to tell when standard error is closed.
                let _ = writeln!(std::io::stderr(), "stoa: {line}");
                ExitCode::from(1)
            }
        }
    }
}
