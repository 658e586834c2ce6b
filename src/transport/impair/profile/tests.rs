use std::{fs, path::Path};

use super::*;

fn complaint(text: &str) -> String {
    Profile::parse(text).expect_err(text).to_string()
}

#[test]
fn is_every_file_a_profile_with_a_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("netem/profiles");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let parsed = Profile::parse(&fs::read_to_string(&path).unwrap());
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert_eq!(Profile::named(&name), Some(parsed.unwrap()), "{name}");
        found.push(name);
    }
    found.sort();
    assert_eq!(found, Profile::names().collect::<Vec<_>>());
    assert_eq!(Profile::named("no such"), None);
}

#[test]
fn is_every_field_read() {
    let text = r#"{
        "delay_ms": 20.5, "jitter_ms": 2, "jitter_order": "keep", "loss_percent": 5, "burst_ms": 30,
        "reorder_percent": 1, "reorder_ms": 4, "duplicate_percent": 2, "corrupt_percent": 3,
        "truncate_percent": 4, "rate_mbit": 0.5, "queue_ms": 700, "mtu": 1200,
        "blackouts": { "every_ms": 1000, "length_ms": 10, "first_ms": 0 }, "rebind_every_ms": 9000
    }"#;
    let ms = Duration::from_millis;
    let all = Figures {
        delay: Duration::from_micros(20_500),
        jitter: ms(2),
        keeps_order: true,
        loss: 0.05,
        burst: ms(30),
        reorder: 0.01,
        lead: ms(4),
        duplicate: 0.02,
        corrupt: 0.03,
        truncate: 0.04,
        bottleneck: Some(Bottleneck { bits_per_second: 500_000, queue: ms(700) }),
        mtu: 1200,
        blackouts: Some(Blackouts { every: ms(1000), length: ms(10), first: ms(0) }),
        rebind_every: Some(ms(9000)),
    };
    assert_eq!(Profile::parse(text).unwrap().figures(), all);
}

#[test]
fn is_nothing_the_default_of_everything() {
    let nothing = Profile::parse("{}").unwrap().figures();
    assert_eq!((nothing.delay, nothing.loss, nothing.mtu), (Duration::ZERO, 0.0, MAX_DATAGRAM));
    assert_eq!((nothing.bottleneck, nothing.blackouts, nothing.rebind_every), (None, None, None));
    assert_eq!(Profile::parse(r#"{ "rate_mbit": 0, "mtu": null }"#).unwrap().figures(), nothing);
}

#[test]
fn how_long_is_the_queue() {
    let queue = |text: &str| Profile::parse(text).unwrap().figures().bottleneck.unwrap().queue;
    let ms = Duration::from_millis;
    assert_eq!(queue(r#"{ "rate_mbit": 100, "delay_ms": 50 }"#), ms(100), "a round trip");
    assert_eq!(queue(r#"{ "rate_mbit": 1.2, "delay_ms": 50 }"#), ms(1000), "100 packets of 1500");
    assert_eq!(queue(r#"{ "rate_mbit": 8, "queue_kbytes": 25 }"#), ms(25));
    assert_eq!(queue(r#"{ "rate_mbit": 8, "queue_ms": 0 }"#), ms(0));
}

#[test]
fn does_the_way_back_override_what_it_names() {
    let text = r#"{ "delay_ms": 50, "loss_percent": 1, "rate_mbit": 8, "queue_ms": 9,
        "back": { "loss_percent": 0, "queue_kbytes": 5 } }"#;
    let both = Profile::parse(text).unwrap();
    let (forth, back) = (both.forth().figures(), both.back().figures());
    assert_eq!((forth.loss, back.loss), (0.01, 0.0));
    assert_eq!((forth.delay, back.delay), (Duration::from_millis(50), Duration::from_millis(50)));
    let queue = |figures: Figures| figures.bottleneck.unwrap().queue;
    assert_eq!((queue(forth), queue(back)), (Duration::from_millis(9), Duration::from_millis(5)));
    assert_eq!(both.back().back(), both.back(), "one direction is the same both ways");
    assert_eq!(both.figures(), forth);

    let alike = Profile::parse(r#"{ "delay_ms": 5 }"#).unwrap();
    assert_eq!(alike.forth(), alike.back());
}

#[test]
fn is_a_complaint_about_the_field_that_is_wrong() {
    for (text, about) in [
        (r#"{ "delay_ms": -1 }"#, "delay_ms is -1, and may be from 0 to 86400000"),
        (r#"{ "loss_percent": 101 }"#, "loss_percent is 101, and may be from 0 to 100"),
        (r#"{ "rate_mbit": 0.0001 }"#, "rate_mbit is 0.0001, and may be from 0.001 to 100000"),
        (r#"{ "mtu": 0 }"#, "mtu is 0, and may be from 1 to 65507"),
        (r#"{ "jitter_ms": 2, "delay_ms": 1 }"#, "jitter_ms is 2, and may not be above delay_ms, which is 1"),
        (
            r#"{ "delay_ms": 1, "reorder_ms": 2 }"#,
            "reorder_ms is 2, and may not be above delay_ms, which is 1",
        ),
        (r#"{ "reorder_percent": 2 }"#, "reorder_percent needs a delay_ms"),
        (r#"{ "queue_ms": 1, "queue_kbytes": 1 }"#, "queue_ms and queue_kbytes exclude each other"),
        (
            r#"{ "blackouts": { "every_ms": 1, "length_ms": 2 } }"#,
            "blackouts.length_ms is 2, and may not be above blackouts.every_ms, which is 1",
        ),
        (
            r#"{ "delay_ms": 5, "jitter_ms": 5, "back": { "delay_ms": 1 } }"#,
            "back: jitter_ms is 5, and may not be above delay_ms, which is 1",
        ),
        (r#"[50, 5]"#, "a profile holds no arrays"),
        (r#"{ "blackouts": [1000, 5] }"#, "a profile holds no arrays"),
        (r#"{ "back": { "back": {} } }"#, "back holds another back"),
    ] {
        assert_eq!(complaint(text), about);
    }
}

#[test]
fn is_what_json_cannot_say_refused() {
    assert!(complaint(r#"{ "delay": 5 }"#).contains("unknown field `delay`"));
    assert!(complaint(r#"{ "back": { "delay": 5 } }"#).contains("unknown field `delay`"));
    assert!(complaint(r#"{ "blackouts": { "every_ms": 5 } }"#).contains("missing field `length_ms`"));
    assert!(complaint(r#"{ "jitter_order": "some" }"#).contains("unknown variant `some`"));
    assert!(complaint(r#"{ "delay_ms": "5" }"#).contains("invalid type"));
    for text in ["", "5", r#"{ "delay_ms": NaN }"#, r#"{ "delay_ms": 1e999 }"#, "{} {}"] {
        complaint(text);
    }
    for value in [f64::NAN, f64::INFINITY, -f64::INFINITY] {
        let mut fields = Fields::default();
        fields.loss_percent = Some(value);
        assert!(fields.figures().is_err(), "{value}");
    }
}
