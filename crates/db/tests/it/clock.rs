use crate::MIGRATIONS;
use std::sync::Arc;
use stoa_db::{DatabaseClock, Db, Engine};
use stoa_types::{Clock, ManualClock, SystemClock};

stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn replicas_whose_clocks_are_an_hour_apart_agree_over_postgres(db: Db) {
            const HOUR: i64 = 3_600_000;
            let [late, early] = [-HOUR, HOUR].map(|off| {
                let start = SystemClock.now().plus_ms(off);
                DatabaseClock::over(Arc::new(ManualClock::starting_at(start)))
            });
            let apart = || early.now().ms_since(late.now());
            assert_eq!(apart(), 2 * HOUR);
            late.ask(&db).await.unwrap();
            early.ask(&db).await.unwrap();
            match db.engine() {
                Engine::Sqlite => assert_eq!(apart(), 2 * HOUR),
                Engine::Postgres => {
                    assert!(apart().abs() < 1000, "{}", apart());
                    assert!(early.now().ms_since(SystemClock.now()).abs() < 1000);
                }
            }
        }
}
