//! The routes of the operator API as commands: what each takes and how its answer is shown.
//!
//! To add one: a line here. A route without a line is a command all the same, with its parameters in
//! JSON.

/// Head of a column of a table, and where its cells stand in a resource.
pub(super) type Column = (&'static str, &'static str);

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text: an id, a name, an instant.
    Text,
    /// A whole number.
    Number,
    /// True when it is given.
    Flag,
    /// `true` or `false`.
    Truth,
    /// Several texts, joined with commas in a query.
    List,
    /// A JSON object.
    Json,
    /// A secret, which never stands on the command line: from a file, or typed unseen.
    Secret,
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param {
    /// The name in the API.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Must be given.
    pub(super) required: bool,
    pub(super) help: &'static str,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verb {
    /// The path below `/v1/operator_api/`.
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    pub(super) params: &'static [Param],
    pub(super) columns: &'static [Column],
}

const fn text(name: &'static str, help: &'static str) -> Param {
    Param {
        name,
        kind: Kind::Text,
        required: false,
        help,
    }
}

const fn of(kind: Kind, name: &'static str, help: &'static str) -> Param {
    Param {
        name,
        kind,
        required: false,
        help,
    }
}

const fn must(mut param: Param) -> Param {
    param.required = true;
    param
}

const ID: Param = must(text("id", "Id of what it is done to"));
const REASON: Param = text("reason", "Why; for the audit log alone");
const PAGE: Param = of(Kind::Number, "page", "Which page, from 1");
const PER_PAGE: Param = of(Kind::Number, "perPage", "Entries of a page, 1 to 100");
const INCLUDE: Param = of(
    Kind::List,
    "include",
    "Related resources to show with --json",
);

const USERS: &[Column] = &[
    ("ID", "id"),
    ("EMAIL", "email"),
    ("NAME", "profile.displayName"),
    ("STATE", "state"),
    ("CREATED", "createdAt"),
];
const APPLICATIONS: &[Column] = &[
    ("ID", "id"),
    ("KIND", "kind"),
    ("NAME", "name"),
    ("TRUSTED", "trusted"),
    ("CREATED", "createdAt"),
];
const OPERATORS: &[Column] = &[
    ("ID", "id"),
    ("EMAIL", "email"),
    ("ROLE", "role"),
    ("CREATED", "createdAt"),
    ("DISABLED", "disabledAt"),
];
const AUDIT: &[Column] = &[
    ("NO", "sequenceId"),
    ("AT", "createdAt"),
    ("OPERATOR", "operatorId"),
    ("ACTION", "action"),
    ("CODE", "code"),
    ("TARGET", "targetId"),
    ("REASON", "reason"),
];
const SESSIONS: &[Column] = &[
    ("ID", "id"),
    ("CLIENT", "clientId"),
    ("STARTED", "startedAt"),
    ("REFRESHED", "refreshedAt"),
];
const SCHEMAS: &[Column] = &[
    ("FOR", "schemaFor"),
    ("SCOPE", "scope"),
    ("KEY", "key"),
    ("TYPE", "schemaType"),
];
const MAILS: &[Column] = &[
    ("NAME", "name"),
    ("ENABLED", "enabled"),
    ("SUBJECT", "subject"),
];

/// Words on the resources, for the help.
pub(super) const RESOURCES: &[(&str, &str)] = &[
    ("users", "Accounts"),
    ("sessions", "Logins of a user"),
    ("applications", "Clients of the token endpoint"),
    ("operators", "The people who run the marketplace"),
    ("settings", "Settings of the marketplace"),
    (
        "builtin_emails",
        "The mails that the marketplace sends by itself",
    ),
    (
        "search_schemas",
        "Keys of extended data that can be searched",
    ),
    ("audit", "What was done, by whom, and what was refused"),
    ("clock", "The virtual clock of a development installation"),
];

/// The commands.
pub(super) const VERBS: &[Verb] = &[
    Verb {
        path: "users/query",
        about: "Lists users",
        params: &[
            of(
                Kind::List,
                "states",
                "active, pendingApproval, banned, deleted",
            ),
            text("createdAtStart", "Created at this instant or later"),
            text("createdAtEnd", "Created before this instant"),
            text(
                "sort",
                "createdAt, or a key of extended data; -createdAt the other way",
            ),
            INCLUDE,
            PAGE,
            PER_PAGE,
        ],
        columns: USERS,
    },
    Verb {
        path: "users/show",
        about: "Shows a user",
        params: &[
            text("id", "The user's id"),
            text("email", "Or the user's address"),
            INCLUDE,
        ],
        columns: USERS,
    },
    Verb {
        path: "users/ban",
        about: "Bans a user",
        params: &[ID, REASON],
        columns: USERS,
    },
    Verb {
        path: "users/unban",
        about: "Ends a ban",
        params: &[ID, REASON],
        columns: USERS,
    },
    Verb {
        path: "users/delete",
        about: "Deletes a user and all that is personal, for good",
        params: &[ID, REASON],
        columns: USERS,
    },
    Verb {
        path: "users/approve",
        about: "Lets a user in who waits for approval",
        params: &[ID, REASON],
        columns: USERS,
    },
    Verb {
        path: "users/update_permissions",
        about: "Allows or denies a user to post, to initiate, to read",
        params: &[
            ID,
            text("postListings", "permission/allow or permission/deny"),
            text(
                "initiateTransactions",
                "permission/allow or permission/deny",
            ),
            text("read", "permission/allow or permission/deny"),
            REASON,
        ],
        columns: USERS,
    },
    Verb {
        path: "users/revoke_sessions",
        about: "Ends all logins of a user",
        params: &[ID, REASON],
        columns: USERS,
    },
    Verb {
        path: "users/verify_email",
        about: "Counts a user's address as verified",
        params: &[ID, must(text("email", "The address")), REASON],
        columns: USERS,
    },
    Verb {
        path: "users/update_profile",
        about: "Changes a user's profile",
        params: &[
            ID,
            text("firstName", "First name"),
            text("lastName", "Last name"),
            text("displayName", "Name as others see it"),
            text("bio", "About the user"),
            of(Kind::Json, "publicData", "Merged into the public data"),
            of(
                Kind::Json,
                "protectedData",
                "Merged into the protected data",
            ),
            of(Kind::Json, "privateData", "Merged into the private data"),
            of(Kind::Json, "metadata", "Merged into the metadata"),
            REASON,
        ],
        columns: USERS,
    },
    Verb {
        path: "sessions/query",
        about: "Lists the logins of a user",
        params: &[must(text("userId", "The user's id")), PAGE, PER_PAGE],
        columns: SESSIONS,
    },
    Verb {
        path: "sessions/revoke",
        about: "Ends one login",
        params: &[ID, REASON],
        columns: SESSIONS,
    },
    Verb {
        path: "applications/query",
        about: "Lists applications",
        params: &[PAGE, PER_PAGE],
        columns: APPLICATIONS,
    },
    Verb {
        path: "applications/create",
        about: "Makes an application and shows its secret, once",
        params: &[
            must(text("kind", "marketplace, integration or internal")),
            must(text("name", "What it is called")),
            of(
                Kind::List,
                "redirectUris",
                "Marketplace: where a login-as may come back to",
            ),
            of(
                Kind::Truth,
                "trusted",
                "Marketplace: may exchange tokens; true unless said",
            ),
            of(Kind::List, "actions", "Internal: what it may do"),
        ],
        columns: APPLICATIONS,
    },
    Verb {
        path: "applications/delete",
        about: "Deletes an application with all its tokens",
        params: &[ID],
        columns: APPLICATIONS,
    },
    Verb {
        path: "applications/rotate_secret",
        about: "Gives an application a new secret and shows it, once",
        params: &[
            ID,
            of(
                Kind::Flag,
                "revokeNow",
                "Ends the former secrets and every token at once",
            ),
        ],
        columns: APPLICATIONS,
    },
    Verb {
        path: "operators/query",
        about: "Lists operators",
        params: &[PAGE, PER_PAGE],
        columns: OPERATORS,
    },
    Verb {
        path: "operators/create",
        about: "Makes an operator and shows the token to choose a password with, once",
        params: &[
            must(text("email", "E-mail address")),
            must(text("role", "owner, staff or read-only")),
        ],
        columns: OPERATORS,
    },
    Verb {
        path: "operators/disable",
        about: "Ends an operator's access, for good",
        params: &[ID, REASON],
        columns: OPERATORS,
    },
    Verb {
        path: "operators/start_password_reset",
        about: "Shows a token with which an operator chooses a new password, once",
        params: &[ID],
        columns: OPERATORS,
    },
    Verb {
        path: "operators/change_password",
        about: "Changes the own password; every login ends, this one too",
        params: &[
            must(of(Kind::Secret, "currentPassword", "The present password")),
            must(of(Kind::Secret, "newPassword", "The new password")),
        ],
        columns: OPERATORS,
    },
    Verb {
        path: OPEN,
        about: "Chooses the password of an operator who was given a token; needs no login",
        params: &[
            must(of(Kind::Secret, "token", "The token")),
            must(of(Kind::Secret, "newPassword", "The new password")),
        ],
        columns: OPERATORS,
    },
    Verb {
        path: "builtin_emails/query",
        about: "Lists the mails",
        params: &[],
        columns: MAILS,
    },
    Verb {
        path: "search_schemas/query",
        about: "Lists search schemas",
        params: &[
            of(Kind::List, "schemaFor", "listing, userProfile, transaction"),
            PAGE,
            PER_PAGE,
        ],
        columns: SCHEMAS,
    },
    Verb {
        path: "search_schemas/set",
        about: "Makes or replaces a search schema",
        params: &[
            text(
                "schemaFor",
                "listing unless said, userProfile or transaction",
            ),
            must(text("scope", "public, protected, private or metadata")),
            must(text("key", "The key of extended data")),
            must(text(
                "schemaType",
                "enum, multi-enum, boolean, long or text",
            )),
            of(
                Kind::Json,
                "default",
                "What counts where the key is missing",
            ),
            text("doc", "What it is for"),
        ],
        columns: SCHEMAS,
    },
    Verb {
        path: "search_schemas/unset",
        about: "Removes a search schema",
        params: &[
            text(
                "schemaFor",
                "listing unless said, userProfile or transaction",
            ),
            must(text("scope", "public, protected, private or metadata")),
            must(text("key", "The key of extended data")),
        ],
        columns: SCHEMAS,
    },
    Verb {
        path: "audit/query",
        about: "Lists entries of the audit log, newest first",
        params: &[
            text("operatorId", "By this operator, or `host`"),
            text("targetId", "Done to this"),
            text("action", "Such as users.ban"),
            text("createdAtStart", "At this instant or later"),
            text("createdAtEnd", "Before this instant"),
            PAGE,
            PER_PAGE,
        ],
        columns: AUDIT,
    },
    Verb {
        path: "clock/advance",
        about: "Moves the virtual clock",
        params: &[must(of(Kind::Number, "seconds", "How far"))],
        columns: &[],
    },
];

/// The command that needs no login.
pub(super) const OPEN: &str = "operators/reset_password";

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_gateway::{Api, route_infos};

    #[test]
    fn a_path_stands_once_and_its_resource_has_words() {
        for (i, verb) in VERBS.iter().enumerate() {
            assert!(
                VERBS[..i].iter().all(|other| other.path != verb.path),
                "{}",
                verb.path
            );
            let resource = verb.path.split('/').next().unwrap();
            assert!(
                RESOURCES.iter().any(|(name, _)| *name == resource),
                "{resource}"
            );
        }
    }

    // contract: operator-api.md (every route is a command)
    #[test]
    fn every_route_that_is_there_has_words_of_its_own() {
        // Commands whose parameters are best written as JSON.
        const IN_JSON: &[&str] = &["settings/", "builtin_emails/update"];
        for route in route_infos().filter(|route| route.api == Api::Operator) {
            let is_known = VERBS.iter().any(|verb| verb.path == route.path);
            let in_json = IN_JSON.iter().any(|path| route.path.starts_with(path));
            assert!(is_known || in_json, "{} has no line", route.path);
        }
    }
}
