use super::*;
use stoa_types::Currency;

const ALL: [Format; 3] = [Format::Json, Format::Transit, Format::TransitVerbose];

fn written(format: Format, write: impl Fn(&mut Writer)) -> String {
    let mut w = Writer::new(format);
    write(&mut w);
    String::from_utf8(w.finish().unwrap()).unwrap()
}

fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::parse("EUR").unwrap())
}

#[test]
fn every_value_has_its_form_in_each_format() {
    let write = |w: &mut Writer| {
        w.map()
            .key_uuid("id", "3c073fae-6172-4e75-8b92-f560d58cd47c")
            .key_keyword("type", "listing")
            .key_instant("at", Timestamp::from_ms(1))
            .key_money("price", eur(-2500))
            .key_money("fee", eur(1))
            .key_lat_lng(
                "place",
                LatLng {
                    lat: 60.16,
                    lng: 24.94,
                },
            )
            .key_decimal("share", "-10.50")
            .key_decimal("odd", ".5")
            .key_integer("n", 3)
            .key_double("x", 1.5)
            .key_boolean("deleted", false)
            .key_null("gone")
            .key_string("s", "~x")
            .key_array("none")
            .end_array()
            .key_map("empty")
            .end_map()
            .key_money_or_null("p", None)
            .key_string_or_null("q", Some("^0"))
            .end_map();
    };
    assert_eq!(
        written(Format::Json, write),
        r#"{"id":"3c073fae-6172-4e75-8b92-f560d58cd47c","type":"listing","at":"1970-01-01T00:00:00.001Z","price":{"amount":-2500,"currency":"EUR"},"fee":{"amount":1,"currency":"EUR"},"place":{"lat":60.16,"lng":24.94},"share":-10.50,"odd":".5","n":3,"x":1.5,"deleted":false,"gone":null,"s":"~x","none":[],"empty":{},"p":null,"q":"^0"}"#
    );
    assert_eq!(
        written(Format::Transit, write),
        r#"["^ ","~:id","~u3c073fae-6172-4e75-8b92-f560d58cd47c","~:type","~:listing","~:at","~t1970-01-01T00:00:00.001Z","~:price",["~#mn",[-2500,"EUR"]],"~:fee",["^5",[1,"EUR"]],"~:place",["~#geo",[60.16,24.94]],"~:share","~f-10.50","~:odd","~f.5","~:n",3,"~:x",1.5,"~:deleted",false,"~:gone",null,"~:s","~~x","~:none",[],"~:empty",["^ "],"~:p",null,"~:q","~^0"]"#
    );
    assert_eq!(
        written(Format::TransitVerbose, write),
        r#"{"~:id":"~u3c073fae-6172-4e75-8b92-f560d58cd47c","~:type":"~:listing","~:at":"~t1970-01-01T00:00:00.001Z","~:price":{"~#mn":[-2500,"EUR"]},"~:fee":{"~#mn":[1,"EUR"]},"~:place":{"~#geo":[60.16,24.94]},"~:share":"~f-10.50","~:odd":"~f.5","~:n":3,"~:x":1.5,"~:deleted":false,"~:gone":null,"~:s":"~~x","~:none":[],"~:empty":{},"~:p":null,"~:q":"~^0"}"#
    );
}

// contract: wire W6
#[test]
fn stored_json_keeps_any_key_in_every_format() {
    let stored = r#"{"~x":1,"^y":2,"a/b":3,"with space":4,"":5,"^ ":6,"~:k":7,"q\"":"\"","n":[{"a/b":"`t"},1.50,-0,true,false,null,[],{}]}"#;
    let write = |w: &mut Writer| {
        w.json(stored);
    };
    assert_eq!(written(Format::Json, write), stored);
    assert_eq!(
        written(Format::Transit, write),
        r#"["^ ","~:~x",1,"~:^y",2,"~:a/b",3,"~:with space",4,"~:",5,"~:^ ",6,"~:~:k",7,"~:q\"","\"","~:n",[["^ ","^2","~`t"],1.50,-0,true,false,null,[],["^ "]]]"#
    );
    assert_eq!(
        written(Format::TransitVerbose, write),
        r#"{"~:~x":1,"~:^y":2,"~:a/b":3,"~:with space":4,"~:":5,"~:^ ":6,"~:~:k":7,"~:q\"":"\"","~:n":[{"~:a/b":"~`t"},1.50,-0,true,false,null,[],{}]}"#
    );
    for format in [Format::Transit, Format::TransitVerbose] {
        let read = crate::read_transit(written(format, write).as_bytes()).unwrap();
        assert_eq!(read.to_json_text(), stored);
    }
}

#[test]
fn stored_strings_that_begin_with_an_escaped_tilde_are_guarded_too() {
    let transit = written(Format::Transit, |w| {
        w.json(r#"["\u007ex","\u005e0","\u00e9","\n~","\"","~","é~","\\u007e"]"#);
    });
    assert_eq!(
        transit,
        r#"["~~x","~^0","é","\n~","\"","~~","é~","\\u007e"]"#
    );
}

#[test]
fn stored_scalars_and_white_space_are_written() {
    for (stored, transit) in [
        ("7", "7"),
        (" {\n\"a\" : [ 1 , 2 ] } ", r#"["^ ","~:a",[1,2]]"#),
    ] {
        assert_eq!(
            written(Format::Transit, |w| {
                w.json(stored);
            }),
            transit
        );
    }
}

#[test]
fn damaged_stored_json_is_an_error_and_not_a_broken_answer() {
    let deep = "[".repeat(200);
    for damaged in [
        "",
        "{",
        "{\"a\":",
        "{\"a\":1]",
        "[1,]",
        "nul",
        "{} x",
        "\"",
        deep.as_str(),
    ] {
        for format in [Format::Transit, Format::TransitVerbose] {
            let mut w = Writer::new(format);
            w.map()
                .key_json("publicData", damaged)
                .key_integer("n", 1)
                .end_map();
            assert_eq!(w.finish(), Err(DamagedJson), "{damaged}");
        }
    }
    let mut w = Writer::new(Format::Json);
    w.map().key_json("publicData", "").end_map();
    assert_eq!(w.finish(), Err(DamagedJson));
}

// contract: wire W5
#[test]
fn verbose_documents_begin_with_an_object_of_keywords() {
    let text = written(Format::TransitVerbose, |w| {
        w.map().key_map("data").end_map().end_map();
    });
    assert!(text.starts_with(r#"{"~:"#), "{text}");
}

#[test]
fn misuse_panics_in_debug_builds() {
    let misuses: [fn(&mut Writer); 7] = [
        |w| {
            w.map().integer(1);
        },
        |w| {
            w.map().key("a").end_map();
        },
        |w| {
            w.map().key("a").key("b");
        },
        |w| {
            w.array().key("a");
        },
        |w| {
            w.array().end_map();
        },
        |w| {
            w.map().end_array();
        },
        |w| {
            w.integer(1).integer(2);
        },
    ];
    for (i, misuse) in misuses.into_iter().enumerate() {
        for format in ALL {
            let caught = std::panic::catch_unwind(|| misuse(&mut Writer::new(format)));
            assert_eq!(caught.is_err(), cfg!(debug_assertions), "misuse {i}");
        }
    }
}
