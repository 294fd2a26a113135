//! A server that falls silent: packets vanish, and nobody is told.

use crate::MIGRATIONS;

stoa_testkit::only_on_postgres! { MIGRATIONS;
    {
        use crate::{add, amount, ids, insert, spawn};
        use futures::future::join_all;
        use std::sync::atomic::{AtomicU32, Ordering};
        use std::time::Duration;
        use stoa_db::{Db, DbConfig, DbError, sql};
        use stoa_testkit::engine::Place;
        use stoa_testkit::link::{Link, Network, Weather};
        use tokio::time::{Instant, timeout};

        /// What one wait may take, and a bit for a busy machine.
        const PATIENCE: Duration = Duration::from_millis(5500);

        /// The same place by way of a link, with so many connections.
        fn by_way_of_a_link(place: &Place, connections: u32) -> (Network, Link, Place) {
            let DbConfig::Postgres { url, schema, .. } = &place.config else {
                panic!("not on PostgreSQL");
            };
            let mut network = Network::new();
            let (url, link) = network.to_postgres("db", url);
            let config = DbConfig::Postgres {
                url,
                schema: schema.clone(),
                max_connections: connections,
            };
            (network, link, Place { config, set: place.set })
        }

        async fn add_one(db: &Db) -> Result<(), DbError> {
            db.write(|tx| async move {
                let more = "UPDATE things SET amount = amount + 1 WHERE id = 'a'";
                tx.execute_expecting(1, more).await
            })
            .await
        }

        /// The process at the other end of the only connection.
        async fn backend(db: &Db) -> i64 {
            let (id,) = db.one_as("SELECT CAST(pg_backend_pid() AS BIGINT)").await.unwrap();
            id
        }
    }

    async fn everybody_who_waits_is_told_in_time_and_nobody_keeps_a_connection(place: Place) {
        let (_network, link, place) = by_way_of_a_link(&place, 4);
        let db = place.open().await;
        add(&db, "a").await;
        // Connections that lie unused when the silence begins.
        for all in join_all((0..4).map(|_| ids(&db))).await {
            assert_eq!(all, ["a"]);
        }
        link.set(Weather::Hole);
        let asked = Instant::now();
        let reads = join_all((0..4).map(|_| amount(&db, "a")));
        let writes = join_all((0..4).map(|_| add_one(&db)));
        let both = async { tokio::join!(reads, writes) };
        // The last ones wait for a connection first, then for an answer.
        let (reads, writes) = timeout(PATIENCE * 2, both).await.expect("in time");
        for read in reads {
            assert!(matches!(read, Err(DbError::Unavailable(_))), "{read:?}");
        }
        for write in writes {
            assert!(matches!(write, Err(DbError::Unavailable(_))), "{write:?}");
        }
        assert!(asked.elapsed() > Duration::from_secs(3), "a slow answer is waited for");
        link.set(Weather::Fair);
        let back = Instant::now();
        for answer in join_all((0..8).map(|_| amount(&db, "a"))).await {
            assert_eq!(answer, Ok(0), "nothing was done in silence");
        }
        add_one(&db).await.unwrap();
        assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
    }

    async fn a_server_that_comes_back_is_waited_for(place: Place) {
        let (_network, link, place) = by_way_of_a_link(&place, 1);
        let db = place.open().await;
        add(&db, "a").await;
        for weather in [Weather::Cut, Weather::Hole] {
            link.set(weather);
            let reading = spawn({
                let db = db.clone();
                async move { amount(&db, "a").await }
            });
            tokio::time::sleep(Duration::from_millis(300)).await;
            link.set(Weather::Fair);
            assert_eq!(reading.await.unwrap(), Ok(0), "{weather:?}");
        }
    }

    async fn a_commit_whose_answer_is_lost_is_in_doubt_and_not_done_again(place: Place) {
        let (_network, link, through) = by_way_of_a_link(&place, 2);
        let (db, direct) = (through.open().await, place.open().await);
        let runs = AtomicU32::new(0);
        let (runs, way) = (&runs, &link);
        let write = db.write(|tx| async move {
            runs.fetch_add(1, Ordering::SeqCst);
            tx.execute(insert("a")).await?;
            way.set(Weather::Mute);
            Ok::<_, DbError>(())
        });
        let answer = timeout(PATIENCE, write).await.expect("in time");
        assert!(matches!(answer, Err(DbError::InDoubt(_))), "{answer:?}");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert_eq!(ids(&direct).await, ["a"], "here it was stored");
        link.set(Weather::Fair);
        assert_eq!(ids(&db).await, ["a"]);

        // A connection that breaks says no more than one that is silent.
        let write = db.write(|tx| async move {
            tx.execute(insert("b")).await?;
            way.set(Weather::Cut);
            Ok::<_, DbError>(())
        });
        let answer = timeout(PATIENCE, write).await.expect("in time");
        assert!(matches!(answer, Err(DbError::InDoubt(_))), "{answer:?}");
    }

    async fn locks_of_a_writer_who_is_gone_are_let_go_by_the_server(place: Place) {
        let (_network, link, through) = by_way_of_a_link(&place, 1);
        let (db, direct) = (through.open().await, place.open().await);
        add(&direct, "a").await;
        let way = &link;
        let stuck = db.write(|tx| async move {
            tx.execute("UPDATE things SET amount = 7 WHERE id = 'a'").await?;
            way.set(Weather::Hole);
            tx.execute("UPDATE things SET amount = 8 WHERE id = 'a'").await
        });
        let gone = Instant::now();
        assert!(matches!(stuck.await, Err(DbError::Unavailable(_))));
        // The hole stays: the server cannot see that the other end is closed.
        while let Err(error) = add_one(&direct).await {
            assert!(matches!(error, DbError::Busy(_)), "{error:?}");
            assert!(gone.elapsed() < Duration::from_secs(9), "the row stays locked");
        }
        assert_eq!(amount(&direct, "a").await, Ok(1));
    }

    async fn somebody_who_leaves_costs_no_connection(place: Place) {
        let (_network, _link, place) = by_way_of_a_link(&place, 1);
        let db = place.open().await;
        let before = backend(&db).await;
        let slow = db.one("SELECT CAST(pg_sleep(0.3) AS TEXT)");
        assert!(timeout(Duration::from_millis(50), slow).await.is_err());
        assert_eq!(backend(&db).await, before);
    }

    async fn a_statement_that_takes_too_long_is_ended_by_the_server(place: Place) {
        let (_network, _link, place) = by_way_of_a_link(&place, 1);
        let db = place.open().await;
        let before = backend(&db).await;
        let asked = Instant::now();
        let slow = db.one("SELECT CAST(pg_sleep(20) AS TEXT)").await;
        assert!(matches!(slow, Err(DbError::Busy(_))), "{slow:?}");
        assert!(asked.elapsed() < PATIENCE);
        assert_eq!(backend(&db).await, before, "the connection is as good as before");
    }

    async fn a_server_in_trouble_is_unavailable_and_asked_once(db: Db) {
        for code in ["53100", "53200", "57P03", "58030"] {
            let runs = AtomicU32::new(0);
            let counted = &runs;
            let answer = db.write(|tx| async move {
                counted.fetch_add(1, Ordering::SeqCst);
                tx.execute(insert("half")).await?;
                let raise = "SELECT set_config('stoa.code', $1, TRUE)";
                tx.one(sql(raise).bind(code)).await?;
                tx.execute(
                    "DO $$ BEGIN RAISE EXCEPTION 'no room'
                       USING ERRCODE = current_setting('stoa.code'); END $$",
                )
                .await
            });
            let answer = answer.await;
            assert!(matches!(answer, Err(DbError::Unavailable(_))), "{code}: {answer:?}");
            assert_eq!(runs.load(Ordering::SeqCst), 1, "{code}");
            assert_eq!(ids(&db).await, [""; 0], "{code}");
        }
    }
}
