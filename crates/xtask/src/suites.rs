//! The suites of `cargo xtask test`: what each runs and what it needs.
//!
//! To add a suite: a variant, a row in [`Suite::plan`] and, when it belongs to the default run, a
//! place in [`DEFAULT`].

use clap::ValueEnum;

/// Features that make every store suite run on PostgreSQL too and build `stoa-cluster`. Every suite
/// of the workspace is built with them, so that narrowing a run does not build everything again.
pub(crate) const FEATURE: &str = "stoa-testkit/postgres,stoa-testkit/cluster";

/// Feature that adds the tests of `deploy/` that start the binary.
pub(crate) const DEPLOY: &str = "stoa-architecture/binary";

/// Feature that adds the tests of mail over a real server.
pub(crate) const MAIL: &str = "stoa-mail/server";

/// Folder of the npm packages that templates are compared with.
pub(crate) const HANDLEBARS: &str = "crates/mail/tests/conformance";

/// Package of the fault tests, which run alone: they stop and start servers.
const FAULTS: &str = "stoa-fault-tests";

/// A part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// All Rust tests but the faults: unit, store, stack and distributed in one run.
    #[value(skip)]
    Workspace,
    /// Rust tests that need no server.
    Unit,
    /// Store suites on SQLite and PostgreSQL.
    Store,
    /// The whole stack in one process.
    Stack,
    /// The official SDKs on Node, against one process and against a process per service.
    Clients,
    /// Processes per service on PostgreSQL, and the previous release's binary on the new schema.
    Distributed,
    /// Servers that stop, hang and come back.
    Faults,
    /// The public process files and their mail templates; they are not part of this repository.
    Conformance,
}

/// What runs when nothing is named, in this order.
pub(crate) const DEFAULT: &[Suite] = &[Suite::Workspace, Suite::Clients, Suite::Faults];

/// How a suite is run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// `cargo nextest run` with these arguments.
    Nextest(Vec<&'static str>),
    /// `npm test` in this folder, once for each mode.
    Node(&'static str),
}

impl Suite {
    /// How it is run. `has_faults` says that the fault tests are in this tree, from which the
    /// other suites leave them out.
    pub(crate) fn plan(self, has_faults: bool) -> Plan {
        let workspace = |filter: &'static str| {
            let mut arguments = vec![
                "--workspace",
                "--features",
                FEATURE,
                "--features",
                DEPLOY,
                "--features",
                MAIL,
            ];
            if has_faults {
                arguments.extend(["--exclude", FAULTS]);
            }
            if !filter.is_empty() {
                arguments.extend(["-E", filter]);
            }
            Plan::Nextest(arguments)
        };
        match self {
            Self::Workspace => workspace(""),
            Self::Unit => workspace(
                "not (test(/(^|::)(sqlite|postgres|distributed)::/) | package(stoa-stack-tests))",
            ),
            Self::Store => workspace("test(/(^|::)(sqlite|postgres)::/)"),
            Self::Stack => workspace("package(stoa-stack-tests) & not test(/(^|::)distributed::/)"),
            Self::Distributed => workspace("test(/(^|::)distributed::/)"),
            Self::Faults => Plan::Nextest(vec![
                "-p",
                FAULTS,
                "--features",
                FEATURE,
                "--features",
                "stoa-fault-tests/binary",
            ]),
            Self::Conformance => Plan::Nextest(vec![
                "-p",
                "stoa-process",
                "-p",
                "stoa-mail",
                "--features",
                "stoa-process/conformance,stoa-mail/conformance",
                "-E",
                // What is left of stoa-mail runs with the others.
                "package(stoa-process) | test(/^conformance::/)",
            ]),
            Self::Clients => Plan::Node("tests/clients"),
        }
    }

    /// The folder without which there is nothing to run yet.
    pub(crate) fn folder(self) -> Option<&'static str> {
        match self {
            Self::Clients => Some("tests/clients"),
            Self::Faults => Some("tests/faults"),
            _ => None,
        }
    }

    /// Whether it builds and validates the manifests of `deploy/`.
    pub(crate) fn reads_manifests(self) -> bool {
        matches!(self, Self::Workspace | Self::Unit | Self::Distributed)
    }

    /// Whether it sends mail to a server.
    pub(crate) fn needs_mail_server(self) -> bool {
        matches!(
            self,
            Self::Workspace | Self::Unit | Self::Store | Self::Distributed
        )
    }

    /// The folder whose npm packages it needs.
    pub(crate) fn needs_packages(self) -> Option<&'static str> {
        matches!(self, Self::Conformance).then_some(HANDLEBARS)
    }

    /// Whether it talks to PostgreSQL.
    pub(crate) fn needs_postgres(self) -> bool {
        matches!(
            self,
            Self::Workspace
                | Self::Store
                | Self::Stack
                | Self::Distributed
                | Self::Clients
                | Self::Faults
        )
    }

    /// Whether it moves clocks of processes.
    pub(crate) fn needs_clocks(self) -> bool {
        matches!(self, Self::Workspace | Self::Distributed | Self::Faults)
    }

    /// Whether it runs the binary of the previous release.
    pub(crate) fn needs_previous(self) -> bool {
        matches!(self, Self::Workspace | Self::Distributed)
    }

    /// Whether it starts the `stoa` binary.
    pub(crate) fn needs_binary(self) -> bool {
        !matches!(self, Self::Unit | Self::Store | Self::Conformance)
    }

    /// The name as it is typed.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(|| "workspace".to_owned(), |v| v.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_can_be_named() {
        let names: Vec<String> = Suite::value_variants().iter().map(|s| s.name()).collect();
        assert_eq!(
            names,
            [
                "unit",
                "store",
                "stack",
                "clients",
                "distributed",
                "faults",
                "conformance"
            ]
        );
    }

    #[test]
    fn suites_of_the_workspace_share_one_build() {
        for suite in [Suite::Unit, Suite::Store, Suite::Stack, Suite::Distributed] {
            let (Plan::Nextest(all), Plan::Nextest(some)) =
                (Suite::Workspace.plan(true), suite.plan(true))
            else {
                panic!("{suite:?}");
            };
            assert_eq!(some[..all.len()], all);
        }
    }
}
