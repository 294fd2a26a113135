//! Mails over SMTP, also when the server refuses, stalls, goes away, and when we do.

use crate::office::{MINUTE, Office};
use crate::server::{Server, credentials};
use serde_json::json;
use std::time::Duration;
use stoa_db::Db;
use stoa_mail::MIGRATIONS;
use stoa_mail::transport::{Smtp, SmtpSettings, Tls};

/// Steps of the conversation before the text is handed over.
const BEFORE: &[&str] = &["connect", "ehlo", "mail", "rcpt", "data"];

fn hasty(settings: SmtpSettings) -> Smtp {
    let timeout = Duration::from_millis(300);
    Smtp::new(SmtpSettings {
        timeout,
        ..settings
    })
    .unwrap()
}

fn id_of(mail: &serde_json::Value) -> &str {
    let text = mail["text"].as_str().unwrap();
    let mut lines = text.lines();
    lines.find(|line| line.starts_with("Message-ID: ")).unwrap()
}

stoa_testkit::on_every_engine! { MIGRATIONS;
    // contract: operator N32
    async fn a_server_gets_the_mail_for_one_recipient(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        let sender = office.sender(server.transport());
        office.queue("a").await;
        office.queue("b").await;
        assert!(sender.pass().await.unwrap());
        assert_eq!(office.states().await, ["sent", "sent"]);
        let mails = server.mails().await;
        assert_eq!(mails.len(), 2);
        assert_ne!(id_of(&mails[0]), id_of(&mails[1]));
        for mail in mails {
            assert_eq!(mail["from"], "market@example.com");
            assert_eq!(mail["to"], json!(["ada@example.com"]));
            let text = mail["text"].as_str().unwrap();
            for line in ["Subject: Welcome to Engine Market", "To: Ada <ada@example.com>",
                         "Date: Fri, 02 Jan 2026 03:04:05 +0000", "Content-Type: multipart/alternative"] {
                assert!(text.contains(line), "{line}\n{text}");
            }
        }
    }

    async fn the_connection_is_encrypted_and_known(db: Db) {
        let office = Office::new(db);
        for tls in [Tls::StartTls, Tls::Immediate] {
            let mut server = Server::with(tls, json!({"password": "right"})).await;
            let settings = SmtpSettings { credentials: Some(credentials("right")), ..server.settings() };
            let key = format!("{tls:?}");
            office.queue(&key).await;
            // Nobody vouches for the certificate; the password is wrong; no password.
            for wrong in [
                SmtpSettings { ca: None, ..settings.clone() },
                SmtpSettings { credentials: Some(credentials("wrong")), ..settings.clone() },
                SmtpSettings { credentials: None, ..settings.clone() },
                SmtpSettings { host: "127.0.0.1".to_owned(), ..settings.clone() },
            ] {
                office.sender(Smtp::new(wrong).unwrap()).pass().await.unwrap();
                assert!(server.mails().await.is_empty());
            }
            office.sender(Smtp::new(settings).unwrap()).pass().await.unwrap();
            assert_eq!(server.mails().await.len(), 1);
        }
        assert_eq!(office.states().await, ["sent", "sent"]);
    }

    // contract: security S63 (TLS required)
    async fn a_server_that_does_not_encrypt_gets_no_mail(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        office.queue("a").await;
        let settings = SmtpSettings { tls: Tls::StartTls, ..server.settings() };
        office.sender(Smtp::new(settings).unwrap()).pass().await.unwrap();
        assert!(server.mails().await.is_empty());
        assert_eq!(office.states().await, ["waiting"]);
    }

    async fn not_now_means_later(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        let sender = office.sender(server.transport());
        for (n, stage) in ["ehlo", "mail", "rcpt", "data", "text"].into_iter().enumerate() {
            server.behave(json!({"at": stage, "how": "answer", "answer": "451 not now"})).await;
            office.queue(&n.to_string()).await;
            sender.pass().await.unwrap();
            assert_eq!(office.states().await[n], "waiting", "{stage}");
            assert_eq!(server.mails().await.len(), n, "{stage}");
            sender.pass().await.unwrap();
            assert_eq!(server.mails().await.len(), n, "{stage}: the pause is not over");
            office.clock.advance_ms(MINUTE);
            sender.pass().await.unwrap();
            assert_eq!(server.mails().await.len(), n + 1, "{stage}");
        }
        assert!(office.states().await.iter().all(|state| state == "sent"));
    }

    async fn never_means_never_and_does_not_hold_up_others(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        let sender = office.sender(server.transport());
        for (n, stage) in ["rcpt", "data", "text"].into_iter().enumerate() {
            server.behave(json!({"at": stage, "how": "answer", "answer": "550 no such person"})).await;
            office.queue(&n.to_string()).await;
            sender.pass().await.unwrap();
            assert_eq!(office.states().await[n], "dropped", "{stage}");
        }
        // A sender that is not taken is our fault: no mail is lost by it.
        server.behave(json!({"at": "mail", "how": "answer", "answer": "550 not you"})).await;
        office.queue("z").await;
        sender.pass().await.unwrap();
        assert_eq!(office.states().await[3], "waiting");
        server.behave(json!({})).await;
        office.clock.advance_ms(MINUTE);
        sender.pass().await.unwrap();
        assert_eq!(office.states().await[3], "sent");
        assert_eq!(server.mails().await.len(), 1);
    }

    async fn a_connection_that_breaks_at_any_step_loses_no_mail(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        for (n, stage) in BEFORE.iter().copied().chain(["text"]).enumerate() {
            let sender = office.sender(server.transport());
            server.behave(json!({"at": stage, "how": "drop"})).await;
            office.queue(&n.to_string()).await;
            sender.pass().await.unwrap();
            assert_eq!(office.states().await[n], "waiting", "{stage}");
            server.behave(json!({})).await;
            office.clock.advance_ms(MINUTE);
            sender.pass().await.unwrap();
            assert_eq!(server.mails().await.len(), n + 1, "{stage}");
        }
    }

    async fn a_server_that_stalls_at_any_step_loses_no_mail(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        for (n, stage) in BEFORE.iter().copied().chain(["text"]).enumerate() {
            server.behave(json!({"at": stage, "how": "stall"})).await;
            office.queue(&n.to_string()).await;
            office.sender(hasty(server.settings())).pass().await.unwrap();
            assert_eq!(office.states().await[n], "waiting", "{stage}");
            server.behave(json!({})).await;
            office.clock.advance_ms(MINUTE);
            office.sender(server.transport()).pass().await.unwrap();
            assert_eq!(server.mails().await.len(), n + 1, "{stage}");
        }
    }

    // contract: operator N26
    async fn a_server_that_is_away_for_ten_minutes_gets_each_mail_once(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        let sender = office.sender(server.transport());
        server.listen(false).await;
        for n in 0..20 {
            office.queue(&n.to_string()).await;
        }
        for _ in 0..10 {
            sender.pass().await.unwrap();
            office.clock.advance_ms(MINUTE);
        }
        server.listen(true).await;
        sender.pass().await.unwrap();
        assert_eq!(server.mails().await.len(), 20);
        sender.pass().await.unwrap();
        assert_eq!(server.mails().await.len(), 20);
        assert!(office.rows().await.iter().all(|(state, _)| state == "sent"));
    }

    async fn a_server_that_is_away_for_a_day_loses_what_waited(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        let sender = office.sender(server.transport());
        server.listen(false).await;
        office.queue("a").await;
        sender.pass().await.unwrap();
        office.clock.advance_ms(24 * 60 * MINUTE);
        server.listen(true).await;
        office.queue("b").await;
        sender.pass().await.unwrap();
        assert_eq!(office.states().await, ["dropped", "sent"]);
        assert_eq!(server.mails().await.len(), 1);
    }

    // contract: operator N27
    async fn a_crash_before_the_text_repeats_nothing(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        for (n, stage) in BEFORE.iter().enumerate() {
            server.behave(json!({"at": stage, "how": "stall"})).await;
            office.queue(&n.to_string()).await;
            let sender = office.sender(server.transport());
            let cut = tokio::time::timeout(Duration::from_millis(300), sender.pass()).await;
            assert!(cut.is_err(), "{stage}: it waits for the server");
            drop(sender);
            server.behave(json!({})).await;
            office.sender(server.transport()).pass().await.unwrap();
            assert_eq!(server.mails().await.len(), n + 1, "{stage}");
        }
    }

    // contract: operator N27
    async fn a_crash_after_the_server_took_the_mail_repeats_it_once(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        office.queue("a").await;
        let mut ids = Vec::new();
        for crash in 1..=2 {
            server.behave(json!({"at": "text", "how": "stall", "keep": true})).await;
            let sender = office.sender(server.transport());
            // The server has the mail, and the process ends before it hears of it.
            tokio::select! {
                passed = sender.pass() => panic!("{passed:?}: it waits for the server"),
                mail = server.next_mail() => ids.push(id_of(&mail).to_owned()),
            }
            drop(sender);
            assert_eq!(office.states().await, ["waiting"], "{crash}");
        }
        assert_eq!(ids[0], ids[1]);
        server.behave(json!({})).await;
        office.sender(server.transport()).pass().await.unwrap();
        assert_eq!(office.states().await, ["sent"]);
        assert!(server.mails().await.is_empty(), "there is no second repeat");
    }

    async fn a_crash_after_the_server_took_the_mail_is_made_good_by_the_next_process(db: Db) {
        let (office, mut server) = (Office::new(db), Server::start().await);
        office.queue("a").await;
        server.behave(json!({"at": "text", "how": "stall", "keep": true})).await;
        let sender = office.sender(server.transport());
        let first = tokio::select! {
            passed = sender.pass() => panic!("{passed:?}: it waits for the server"),
            mail = server.next_mail() => mail,
        };
        drop(sender);
        server.behave(json!({})).await;
        let next = office.sender(server.transport());
        next.pass().await.unwrap();
        next.pass().await.unwrap();
        let mails = server.mails().await;
        assert_eq!(mails.len(), 1);
        assert_eq!(id_of(&mails[0]), id_of(&first));
        assert_eq!(office.states().await, ["sent"]);
    }

    async fn addresses_beyond_ascii_arrive_or_are_refused(db: Db) {
        let mut office = Office::new(db);
        let mut server = Server::start().await;
        let mut old = Server::with(Tls::None, json!({"utf8": false})).await;
        for (address, at_old, key) in [
            ("ada@bücher.example", true, "a"),
            ("ädä@example.com", false, "b"),
        ] {
            office.counter.address = address;
            office.queue(&format!("{key}1")).await;
            office.sender(server.transport()).pass().await.unwrap();
            office.queue(&format!("{key}2")).await;
            office.sender(old.transport()).pass().await.unwrap();
            let last = old.mails().await.last().map(|mail| mail["to"][0].clone());
            assert_eq!(last.unwrap(), "ada@xn--bcher-kva.example");
            assert_eq!(office.states().await.last().unwrap() == "sent", at_old, "{address}");
        }
        let to: Vec<_> = server.mails().await.iter().map(|mail| mail["to"][0].clone()).collect();
        assert_eq!(to, ["ada@xn--bcher-kva.example", "ädä@example.com"]);
    }
}
