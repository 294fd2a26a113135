//! Both ways of a query over many users, against a plain filter.

use crate::MIGRATIONS;
use crate::domain::search::{Condition, Needed};
use crate::store::query::{Selection, Sort, SortBy, UserFilter, page};
use crate::store::totals::Totals;
use std::sync::Arc;
use stoa_db::{Db, sql};
use stoa_policy::UserState;
use stoa_search::Range;
use stoa_types::{ManualClock, Timestamp};

/// Users numbered from 1, each made a millisecond after the one before. Every one has a number
/// (key 1), the remainder of 3 as a text (key 2), and one in a hundred a second number (key 3).
pub(super) async fn seed(db: &Db, count: i64) {
    for text in [
        "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)
         INSERT INTO users (
             id, version, created_at, state, security_epoch, post_listings, initiate_transactions,
             read, email, email_verified, first_name, last_name, public_data, protected_data,
             private_data, metadata, collected_version, collected_key
         )
         SELECT '00000000-0000-4000-8000-' || substr(CAST(100000000000 + i AS TEXT), 1, 12), 1, i,
                'active', 0, TRUE, TRUE, TRUE, CAST(i AS TEXT) || '@x.io', TRUE, 'Olli', 'Foobar',
                '{}', '{}', '{}', '{}', 1, 3
         FROM n",
        "INSERT INTO search_numbers (key_id, value, user_id)
         SELECT 1, created_at, id FROM users WHERE created_at <= $1",
        "INSERT INTO search_texts (key_id, value, user_id)
         SELECT 2, CAST(created_at % 3 AS TEXT), id FROM users WHERE created_at <= $1",
        "INSERT INTO search_numbers (key_id, value, user_id)
         SELECT 3, created_at / 100, id FROM users
         WHERE created_at <= $1 AND created_at % 100 = 0",
    ] {
        db.write(|tx| async move { tx.execute(sql(text).bind(count)).await })
            .await
            .unwrap();
    }
}

fn number(key: i64, min: i64, max: i64) -> Condition {
    Condition {
        key,
        test: Needed::Number(Range { min, max }),
    }
}

fn text(texts: &[&str]) -> Condition {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    Condition {
        key: 2,
        test: Needed::AnyText(texts),
    }
}

fn filter(conditions: Vec<Condition>) -> UserFilter {
    UserFilter {
        selection: Selection {
            created_from: None,
            created_before: None,
            states: vec![UserState::Active],
            conditions,
        },
        sort: Vec::new(),
        page: 1,
        per_page: 100,
    }
}

/// Numbers of the users on the page, and how many there are in all.
async fn found(db: &Db, totals: &Totals, filter: &UserFilter) -> (Vec<i64>, u64) {
    let (users, total) = page(db, filter, totals).await.unwrap();
    let numbers = users.iter().map(|user| user.created_at.as_ms());
    (numbers.collect(), total)
}

fn newest_first(numbers: impl Iterator<Item = i64>) -> (Vec<i64>, u64) {
    let mut all: Vec<i64> = numbers.collect();
    let total = all.len() as u64;
    all.reverse();
    all.truncate(100);
    (all, total)
}

stoa_testkit::on_every_engine! { MIGRATIONS;
    // contract: users 43
    async fn few_or_many_a_page_and_its_number_are_those_of_a_plain_filter(db: Db) {
        const COUNT: i64 = 4000;
        seed(&db, COUNT).await;
        let totals = Totals::new(Arc::new(ManualClock::starting_at(Timestamp::from_ms(0))));
        let third = |n: &i64| n % 3 == 0;
        type Plain = fn(&i64) -> bool;
        let cases: [(Vec<Condition>, Plain); 7] = [
            (vec![text(&["0"]), number(1, 1, 50)], |n| n % 3 == 0 && *n <= 50),
            (vec![number(1, 1, 3500), number(3, 10, 20)], |n| {
                n % 100 == 0 && (1000..=2000).contains(n)
            }),
            (vec![number(3, i64::MIN, i64::MAX), text(&["0", "1"])], |n| {
                n % 100 == 0 && n % 3 != 2
            }),
            (vec![text(&["0"])], |n| n % 3 == 0),
            (vec![text(&["0", "2"]), number(1, 100, 3900)], |n| {
                n % 3 != 1 && (100..=3900).contains(n)
            }),
            (vec![number(1, 1, 2000), number(1, 2001, 4000)], |_| false),
            (vec![text(&["none"]), number(1, 1, 4000)], |_| false),
        ];
        for (conditions, plain) in cases {
            let asked = filter(conditions.clone());
            let expected = newest_first((1..=COUNT).filter(plain));
            assert_eq!(found(&db, &totals, &asked).await, expected, "{conditions:?}");
            // The last page, oldest first, of a window.
            let window = UserFilter {
                selection: Selection {
                    created_from: Some(Timestamp::from_ms(11)),
                    created_before: Some(Timestamp::from_ms(3991)),
                    ..asked.selection.clone()
                },
                sort: vec![Sort { by: SortBy::CreatedAt, ascending: true }],
                page: 2,
                per_page: 10,
            };
            let inside: Vec<i64> = (11..3991).filter(plain).collect();
            let expected = inside.iter().skip(10).take(10).copied().collect();
            let answer = found(&db, &totals, &window).await;
            assert_eq!(answer, (expected, inside.len() as u64), "{conditions:?}");
        }
        // By a number that few have, the others behind them.
        let by_number = UserFilter {
            sort: vec![Sort { by: SortBy::Number(3), ascending: false }],
            ..filter(vec![text(&["0"])])
        };
        let mut all: Vec<i64> = (1..=COUNT).filter(third).collect();
        all.sort_by_key(|n| (n % 100 != 0, -n));
        all.truncate(100);
        assert_eq!(found(&db, &totals, &by_number).await.0, all);
    }

    async fn a_large_number_is_at_most_a_second_old_and_a_page_never(db: Db) {
        seed(&db, 3300).await;
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_ms(0)));
        let totals = Totals::new(clock.clone());
        let (third, all) = (filter(vec![text(&["0"]), number(1, 1, 3300)]), filter(Vec::new()));
        for asked in [&third, &all] {
            found(&db, &totals, asked).await;
        }
        db.write(|tx| async move {
            tx.execute("UPDATE users SET state = 'banned', state_before_ban = 'active' WHERE created_at = 3300").await
        })
        .await
        .unwrap();
        assert_eq!(found(&db, &totals, &third).await.1, 1100);
        assert_eq!(found(&db, &totals, &third).await.0[0], 3297);
        assert_eq!(found(&db, &totals, &all).await.1, 3300);
        clock.advance_ms(1000);
        assert_eq!(found(&db, &totals, &third).await.1, 1099);
        assert_eq!(found(&db, &totals, &all).await.1, 3299);
        // Few are always counted.
        let one = filter(vec![number(1, 3300, 3300)]);
        assert_eq!(found(&db, &totals, &one).await.1, 0);
        db.write(|tx| async move {
            tx.execute("UPDATE users SET state = 'active', state_before_ban = NULL WHERE created_at = 3300").await
        })
        .await
        .unwrap();
        assert_eq!(found(&db, &totals, &one).await.1, 1);
    }
}
