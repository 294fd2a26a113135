use crate::world::{MARK, World};
use std::collections::HashSet;
use std::time::Duration;
use stoa_db::Db;

/// Longest time that a test waits for what must happen at once.
const PATIENCE: Duration = Duration::from_secs(30);

stoa_testkit::on_every_engine! { stoa_event_log::migrations();
    // contract: integration I11 (over the feeds)
    async fn a_poller_sees_the_events_of_250_writers_once_and_ascending(db: Db) {
        let world = World::new().await;
        let running = world.program(&db).await;
        assert!(!running.service.is_ready());
        running.service.start();
        let author = world.user();
        let writers = (0..250).map(|n| {
            let (owner, kind) = [
                ("users", "user.updated"),
                ("listings", "listing.updated"),
                ("transactions", "transaction.updated"),
            ][n % 3];
            let told = world.changed(kind, author);
            async {
                let event = told.public_events[0].id.clone();
                world.emit(owner, told).await;
                event
            }
        });
        let poller = async {
            let mut commits = db.on_commit();
            let (mut last, mut seen) = (0, Vec::new());
            while seen.len() < 250 {
                let found = running.after(last).await.events;
                if found.is_empty() {
                    commits.changed().await.unwrap();
                }
                for logged in found {
                    assert!(logged.sequence_id > last);
                    last = logged.sequence_id;
                    seen.push(logged.event.unwrap().id);
                }
            }
            seen
        };
        let both = async { tokio::join!(futures::future::join_all(writers), poller) };
        let (written, seen) = tokio::time::timeout(PATIENCE, both).await.unwrap();
        let written: HashSet<String> = written.into_iter().collect();
        let once: HashSet<String> = seen.into_iter().collect();
        assert_eq!(once, written);
        assert_eq!(running.after(0).await.total_items, 250);
        let mut commits = db.on_commit();
        while !running.service.is_ready() {
            tokio::time::timeout(PATIENCE, commits.changed()).await.unwrap().unwrap();
        }
        running.tasks.shut_down().await;
    }

    // contract: security S46 (survives a restart), integration I10 (the log)
    async fn a_deletion_is_finished_after_a_restart_and_holds_for_later_events(db: Db) {
        let world = World::new().await;
        let (gone, stays) = (world.user(), world.user());
        let first = world.program(&db).await;
        for author in [gone, stays, gone] {
            world.emit("listings", world.changed("listing.updated", author)).await;
        }
        assert!(first.service.drain().await.unwrap());
        assert!(!first.service.drain().await.unwrap());
        assert_eq!(first.titles().await, [MARK; 3]);
        first.tasks.shut_down().await;

        // While the service is down.
        world.emit("users", world.deleted(gone)).await;
        world.emit("transactions", world.changed("transaction.updated", gone)).await;
        let second = world.program(&db).await;
        assert!(second.service.drain().await.unwrap());
        assert_eq!(second.titles().await, ["", MARK, "", ""]);
        world.emit("listings", world.changed("listing.updated", gone)).await;
        assert!(second.service.drain().await.unwrap());
        assert_eq!(second.titles().await, ["", MARK, "", "", ""]);
        let events = second.after(0).await.events;
        let numbers: Vec<u64> = events.iter().map(|logged| logged.sequence_id).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        second.tasks.shut_down().await;
    }

    // contract: security S66 (a foreign deletion)
    async fn a_deletion_in_the_feed_of_another_service_changes_nothing(db: Db) {
        let world = World::new().await;
        let running = world.program(&db).await;
        let user = world.user();
        world.emit("listings", world.changed("listing.updated", user)).await;
        world.emit("listings", world.deleted(user)).await;
        world.emit("listings", world.changed("listing.updated", user)).await;
        assert!(running.service.drain().await.unwrap());
        assert_eq!(running.titles().await, [MARK; 2]);
        assert_eq!(running.after(0).await.total_items, 2);
        running.tasks.shut_down().await;
    }

    async fn a_running_service_finishes_a_deletion_by_itself(db: Db) {
        let world = World::new().await;
        let running = world.program(&db).await;
        let user = world.user();
        world.emit("listings", world.changed("listing.updated", user)).await;
        running.service.drain().await.unwrap();
        running.service.start();
        let mut commits = db.on_commit();
        world.emit("users", world.deleted(user)).await;
        while running.titles().await != [""] {
            tokio::time::timeout(PATIENCE, commits.changed()).await.unwrap().unwrap();
        }
        running.tasks.shut_down().await;
    }
}
