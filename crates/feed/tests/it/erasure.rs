use crate::world::{SET, World, emit_one};
use stoa_db::Db;
use stoa_feed::erase::{Erasure, erase_outbox};
use stoa_feed::erased;
use stoa_feed::{EnvelopeBuilder, Origin};
use stoa_policy::Actor;
use stoa_proto::events::{PublicEvent, Resource, envelope::Payload, resource};
use stoa_proto::listings::Listing;
use stoa_types::Clock as _;
use stoa_types::Timestamp;
use stoa_types::id::UserId;

const MARK: &str = "Analytical Engine";

fn listing(author: UserId) -> Listing {
    Listing {
        id: "l".into(),
        author_id: author.to_string(),
        title: MARK.into(),
        state: "published".into(),
        ..Listing::default()
    }
}

async fn marked(db: &Db) -> usize {
    let rows: Vec<(Vec<u8>,)> = db.all_as("SELECT envelope FROM outbox").await.unwrap();
    rows.into_iter()
        .filter(|(bytes,)| bytes.windows(MARK.len()).any(|w| w == MARK.as_bytes()))
        .count()
}

stoa_testkit::on_every_engine! { SET;
    // contract: security S46 (outboxes)
    async fn the_outbox_forgets_a_deleted_person_in_batches_and_nobody_else(db: Db) {
        let world = World::new();
        let owner = world.owner("listings", &db);
        let (gone, stays) = (world.user(), world.user());
        for (i, author) in [gone, gone, gone, stays].into_iter().enumerate() {
            let event = PublicEvent {
                resource_type: "listing".into(),
                resource: Some(Resource {
                    resource: Some(resource::Resource::Listing(listing(author))),
                }),
                ..PublicEvent::default()
            };
            let envelope = EnvelopeBuilder::new("listing.updated", "l", i as u64)
                .payload(Payload::Listing(listing(author)))
                .public_event(event)
                .build(
                    &Origin::new(&Actor::system("test"), None),
                    world.clock.now(),
                    &*world.entropy,
                );
            emit_one(&db, envelope).await;
            // The last ones of the person have no position yet.
            if i == 0 {
                owner.sequencer.pass().await.unwrap();
            }
        }
        assert_eq!(marked(&db).await, 4);
        let mut batches = Vec::new();
        loop {
            let done = db
                .write(|tx| async move {
                    let gone = Erasure { user: gone, texts: false };
                    erase_outbox(&tx, gone, 2, Timestamp::from_ms(9)).await
                })
                .await
                .unwrap();
            batches.push(done);
            if done == 0 {
                break;
            }
        }
        assert_eq!(batches, [2, 1, 0]);
        assert_eq!(marked(&db).await, 1);
        let noted = erased::of_user(&db, gone).await.unwrap();
        let expected = erased::Erased {
            place: "outbox".into(),
            items: 3,
            at: Timestamp::from_ms(9),
        };
        assert_eq!(noted, [expected]);
        owner.sequencer.pass().await.unwrap();
        let left = crate::world::stamped(&db).await;
        assert_eq!(left.len(), 4);
        assert!(left.iter().all(|(_, e)| e.public_events.len() == 1));
        db.purge_deleted().await.unwrap();
    }
}
