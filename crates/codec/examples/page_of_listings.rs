//! How long a page of 24 listings takes to write: `cargo run --release --example page_of_listings`.
//!
//! Prints microseconds per page and bytes for each format, on one core.

use std::hint::black_box;

use stoa_codec::{Format, Writer};
use stoa_types::{Currency, LatLng, Money, Timestamp};

const ID: &str = "3c073fae-6172-4e75-8b92-f560d58cd47c";
const PUBLIC_DATA: &str = r#"{"category":"bikes","gears":21,"brand":"Pelago","color":"red","extras":["lock","helmet"],"location":{"address":"Bulevardi 14, Helsinki","building":""},"transactionProcessAlias":"default-inquiry/release-1","unitType":"inquiry","listingType":"bike"}"#;

fn page(format: Format) -> Vec<u8> {
    let eur = Currency::parse("EUR").expect("EUR is a currency");
    let mut w = Writer::with_capacity(format, 32 * 1024);
    w.map().key_array("data");
    for i in 0..24 {
        w.map()
            .key_uuid("id", ID)
            .key_keyword("type", "listing")
            .key_map("attributes");
        w.key_string("title", "Peugeot eT101, well kept")
            .key_string(
                "description",
                "7-speed Hybrid, serviced every spring, with lights.\nCome by.",
            )
            .key_lat_lng(
                "geolocation",
                LatLng {
                    lat: 60.163_82,
                    lng: 24.941_3,
                },
            )
            .key_instant("createdAt", Timestamp::from_ms(1_767_225_600_000 + i))
            .key_money("price", Money::new(1590, eur))
            .key_keyword("state", "published")
            .key_boolean("deleted", false)
            .key_null("availabilityPlan")
            .key_json("publicData", PUBLIC_DATA)
            .key_json("metadata", r#"{"promoted":true}"#)
            .end_map();
        w.key_map("relationships").key_map("author").key_map("data");
        w.key_uuid("id", ID)
            .key_keyword("type", "user")
            .end_map()
            .end_map()
            .end_map()
            .end_map();
    }
    w.end_array().key_map("meta");
    w.key_integer("totalItems", 10_000)
        .key_integer("totalPages", 417);
    w.key_integer("page", 1)
        .key_integer("perPage", 24)
        .end_map()
        .end_map();
    w.finish().expect("the stored texts are JSON")
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn main() {
    const ROUNDS: u32 = 20_000;
    for format in [Format::Json, Format::Transit, Format::TransitVerbose] {
        let bytes = page(format).len();
        let start = std::time::Instant::now();
        for _ in 0..ROUNDS {
            black_box(page(black_box(format)));
        }
        let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
        println!("{format:?}: {micros:.1} us per page of {bytes} bytes");
    }
}
