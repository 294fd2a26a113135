//! Every statement fits both schemas, and what is stored comes back.

use crate::MIGRATIONS;
use crate::domain::email::Email;
use crate::domain::profile::{Data, Profile};
use crate::domain::user::User;
use crate::store::{addresses, email_tokens, erasures, search, users};
use stoa_db::{Db, DbError, Engine};
use stoa_policy::AccessSettings;
use stoa_types::id::{SessionId, UserId};
use stoa_types::{ExtendedData, Timestamp};
use uuid::Uuid;

fn olli() -> (User, Email) {
    let profile = Profile {
        first_name: "Olli".into(),
        last_name: "Foobar".into(),
        display_name: Some("Captain".into()),
        bio: Some(String::new()),
        data: Data {
            public: ExtendedData::parse(r#"{"n":1.50,"length":2}"#).unwrap(),
            ..Data::default()
        },
    };
    let email = Email::parse("Olli@x.io").unwrap();
    let id = UserId::new(Uuid::from_u128(1));
    let now = Timestamp::from_ms(1000);
    (
        User::new(id, &email, profile, AccessSettings::default(), now),
        email,
    )
}

async fn store(db: &Db, user: &User, email: &Email) {
    db.write(|tx| async move {
        users::insert(&tx, user, "hash").await?;
        assert!(addresses::take_primary(&tx, email.key(), user.id).await?);
        Ok::<_, DbError>(())
    })
    .await
    .unwrap();
}

stoa_testkit::on_every_engine! { MIGRATIONS;
    async fn every_statement_fits_the_schema(db: Db) {
        let stores = [
            users::ALL,
            addresses::ALL,
            email_tokens::ALL,
            search::ALL,
            erasures::ALL,
        ];
        for list in stores {
            for (name, text) in list {
                // SQLite knows no row locks; `dialect` never gives it this one.
                if *name == "USER_FOR_UPDATE" && db.engine() == Engine::Sqlite {
                    continue;
                }
                db.prepare(text)
                    .await
                    .unwrap_or_else(|e| panic!("{name}: {e:?}"));
            }
        }
    }

    async fn a_user_is_read_back_as_it_was_stored(db: Db) {
        let (user, email) = olli();
        store(&db, &user, &email).await;
        let (found, hash) = users::login(&db, email.key()).await.unwrap().unwrap();
        assert_eq!((&found, hash.as_deref()), (&user, Some("hash")));
        let spared = SessionId::new(Uuid::from_u128(2));
        let first = &user.with_new_password(Some(spared));
        let second = &first.banned().unwrap();
        let stored = db
            .write(|tx| async move {
                users::replace(&tx, first).await?;
                users::replace(&tx, second).await?;
                users::user_locked(&tx, second.id).await
            })
            .await
            .unwrap();
        assert_eq!(stored.as_ref(), Some(second));
        // A version that is not the next one is refused.
        let again = db
            .write(|tx| async move { users::replace(&tx, first).await })
            .await;
        assert_eq!(
            again,
            Err(DbError::RowCount {
                expected: 1,
                actual: 0
            })
        );
    }

    async fn a_tombstone_keeps_nothing_and_frees_the_address(db: Db) {
        let (user, email) = olli();
        store(&db, &user, &email).await;
        let gone = &user.deleted().unwrap();
        db.write(|tx| async move { erasures::erase(&tx, gone, Timestamp::from_ms(5)).await })
            .await
            .unwrap();
        assert_eq!(
            users::users(&db, &[gone.id]).await.unwrap(),
            std::slice::from_ref(gone)
        );
        assert_eq!(users::by_email(&db, email.key()).await.unwrap(), None);
        let (left,): (i64,) = db
            .one_as(
                "SELECT count(*) FROM users WHERE email IS NULL AND email_verified IS NULL
                AND pending_email IS NULL AND password_hash IS NULL AND first_name IS NULL
                AND last_name IS NULL AND display_name IS NULL AND bio IS NULL
                AND public_data IS NULL AND protected_data IS NULL AND private_data IS NULL
                AND metadata IS NULL AND except_sid IS NULL",
            )
            .await
            .unwrap();
        assert_eq!(left, 1);
        assert_eq!(erasures::to_purge(&db).await.unwrap(), [gone.id]);
    }
}
