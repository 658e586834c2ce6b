use proptest::prelude::*;

use super::{super::stranger::Stranger, *};

fn all(bytes: &[u8]) -> Vec<Result<String, BadJson>> {
    texts(ObjectReader::default().read(bytes))
}

fn texts(found: Vec<Result<Object, BadJson>>) -> Vec<Result<String, BadJson>> {
    found.into_iter().map(|found| found.map(|object| object.text)).collect()
}

fn good(bytes: &[u8]) -> Vec<String> {
    all(bytes).into_iter().flatten().collect()
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "{\"a\": ".repeat(depth), "}".repeat(depth))
}

/// An object of `len` bytes.
fn long(len: usize) -> Vec<u8> {
    let frame = br#"{"a": ""}"#.len();
    format!(r#"{{"a": "{}"}}"#, "x".repeat(len - frame)).into_bytes()
}

const STREAM: &str = "{\"seq\": 0, \"m\": \"a{}\\\"\"}{\"b\":[1,-2.5e3,true,null,{}]}\r\n { } {\"c\":\"\\u010d\\ud83d\\ude00 č\"}\n";

#[test]
fn does_it_matter_where_reads_cut_a_stream() {
    let whole = all(STREAM.as_bytes());
    assert_eq!(whole.len(), 4);
    assert!(whole.iter().all(Result::is_ok), "{whole:?}");
    for size in 1..STREAM.len() {
        let mut reader = ObjectReader::default();
        let found = STREAM.as_bytes().chunks(size).flat_map(|chunk| reader.read(chunk)).collect();
        assert_eq!(texts(found), whole, "reads of {size}");
    }
    for at in 0..=STREAM.len() {
        let (first, second) = STREAM.as_bytes().split_at(at);
        let mut reader = ObjectReader::default();
        let mut found = reader.read(first);
        found.extend(reader.read(second));
        assert_eq!(texts(found), whole, "cut at {at}");
    }
}

#[test]
fn what_is_passed_on_is_what_came_but_in_ascii() {
    let odd = r#"{"user":"u" ,"seq":  1.0,"x":[ ]}"#;
    assert_eq!(good(odd.as_bytes()), [odd]);
    assert_eq!(good("{\"a\": \"č😀\"}".as_bytes()), [r#"{"a": "\u010d\ud83d\ude00"}"#]);
    assert_eq!(good(b"{\"a\": \"\xff\"}"), [r#"{"a": "\ufffd"}"#]);
}

#[test]
fn does_the_last_of_two_equal_keys_win() {
    let object = parse(br#"{"a": 1, "a": "two"}"#).unwrap();
    assert_eq!(object.fields.get("a"), Some(&Value::from("two")));
}

#[test]
fn where_does_reading_go_on_after_a_mistake() {
    let next = r#"{"n": 1}"#;
    for bad in [
        r#"{"seq": 0, "user": "u", "message": "say "x""}"#,
        r#"{"seq": 0, "message": "5" tall"}"#,
        r#"{"seq": 0"#,
        r#"{"seq": 0, "#,
        r#"{"seq": }"#,
        r#"{"seq" 0}"#,
        r#"{seq: 0}"#,
        r#"{'seq': 0}"#,
        r#"{"seq": 0]"#,
        r#"{"seq": [0}"#,
        r#"{"seq": "\x"}"#,
        r#"{"seq": truth}"#,
        r#"{"seq": 1-1}"#,
        r#"{"seq": "\u12"}"#,
        r#"{"a": 1,}"#,
        "{\"a\": \"line\nline\"}",
        "hello",
        "[1, 2]",
        "}}}",
        "\u{0}\u{1}",
        "č",
    ] {
        let found = all(format!("{bad}{next}").as_bytes());
        assert!(found.first().unwrap().is_err(), "{bad}");
        assert_eq!(found.last().unwrap().as_ref().unwrap(), next, "{bad}");
        assert_eq!(found.len(), 2, "{bad}: {found:?}");
    }
}

#[test]
fn is_a_mistake_told_in_words() {
    let told = |text: &str| all(text.as_bytes()).remove(0).unwrap_err().to_string();
    assert_eq!(
        told(r#"{"m": "say "x""}"#),
        "after a value comes , or the end, not 'x'; is a quote in the text without a \\ before it?"
    );
    assert_eq!(told("hello"), "an object begins with {, not with 'h'");
    assert_eq!(told("{a"), "a key stands in \", not 'a'");
}

#[test]
fn is_what_is_no_object_told_once() {
    assert_eq!(all(&b"x".repeat(1_000_000)).len(), 1);
    let found = all(b"hello world\r\nhow are you {} bye");
    assert_eq!(found.len(), 3);
    assert_eq!(found[2], Err(BadJson::Outside('b')));
}

#[test]
fn how_long_may_an_object_be() {
    assert_eq!(good(&long(MAX_OBJECT_BYTES)).len(), 1);
    let mut bytes = long(MAX_OBJECT_BYTES + 1);
    bytes.extend_from_slice(b"{}");
    let found = all(&bytes);
    assert_eq!(found[0], Err(BadJson::TooLong));
    assert_eq!(found[1..], [Ok("{}".to_owned())]);
}

#[test]
fn does_a_line_of_a_megabyte_take_memory() {
    let mut reader = ObjectReader::default();
    reader.read(b"{\"a\": \"");
    for _ in 0..1000 {
        reader.read(&[b'x'; 1000]);
        assert!(reader.held() <= MAX_OBJECT_BYTES);
    }
    assert_eq!(reader.held(), 0, "given up");
}

#[test]
fn how_deep_may_an_object_be() {
    assert_eq!(good(nested(MAX_DEPTH).as_bytes()).len(), 1);
    assert_eq!(all(nested(MAX_DEPTH + 1).as_bytes()), [Err(BadJson::TooDeep)]);
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(parse(nested(MAX_DEPTH + 1).as_bytes()), Err(BadJson::TooDeep));
}

#[test]
fn are_halves_of_surrogate_pairs_read() {
    let read = |text: &str| {
        let object = parse(format!(r#"{{"a": "{text}"}}"#).as_bytes()).unwrap();
        object.fields.get("a").and_then(Value::as_str).unwrap().to_owned()
    };
    assert_eq!(read(r"\ud83d\ude00"), "😀");
    assert_eq!(read(r"\udce9t\udce9"), "\u{fffd}t\u{fffd}");
    assert_eq!(read(r"\ud83d\ud83d\ude00"), "\u{fffd}😀");
    assert_eq!(read(r"\\ud83d"), r"\ud83d");
    assert_eq!(read(r"\ud83d"), "\u{fffd}");
    assert_eq!(read(r"\n\u010d\\"), "\nč\\");
}

#[test]
fn is_a_line_one_object_and_nothing_else() {
    assert!(parse(b" {\"a\": 1} \r").is_ok());
    assert_eq!(parse(b"{\"a\": 1"), Err(BadJson::Incomplete));
    assert_eq!(parse(b""), Err(BadJson::Incomplete));
    for bad in ["{} {}", "[]", "1", "null", "{}x"] {
        assert!(matches!(parse(bad.as_bytes()), Err(BadJson::Misplaced { .. })), "{bad}");
    }
}

#[test]
fn is_it_written_as_python_writes_it() {
    let text = "say \"x\" č \u{1f600}\n\r\t\u{8}\u{c}\u{1}\u{7f}/\\";
    assert_eq!(quoted(text), r#""say \"x\" \u010d \ud83d\ude00\n\r\t\b\f\u0001\u007f/\\""#);
    let inner = [("source", Field::Text("a")), ("n", Field::Number(7))];
    assert_eq!(
        object(&[("type", Field::Text("message")), ("data", Field::Object(&inner))]),
        r#"{"type": "message", "data": {"source": "a", "n": 7}}"#
    );
}

#[test]
fn which_strangers_are_known_by_their_first_bytes() {
    for request in ["GET / HTTP/1.1\r\n", "POST /x", "OPTIONS * HTTP/1.1", "\u{16}\u{3}\u{1}"] {
        assert!(Stranger::default().is_known_by(request.as_bytes()), "{request:?}");
        let mut stranger = Stranger::default();
        let known = request.bytes().filter(|byte| stranger.is_known_by(&[*byte])).count();
        assert_eq!(known, 1, "{request:?} a byte at a time");
    }
    for friend in ["{\"type\": 1}", "GETTING", "hello GET / ", "\u{16}\u{16}"] {
        assert!(!Stranger::default().is_known_by(friend.as_bytes()), "{friend:?}");
    }
}

proptest! {
    #[test]
    fn does_any_text_survive(text in ".{0,200}") {
        let object = parse(object(&[("t", Field::Text(&text))]).as_bytes()).unwrap();
        prop_assert_eq!(object.fields.get("t").and_then(Value::as_str), Some(text.as_str()));
        prop_assert!(object.text.is_ascii());
    }

    #[test]
    fn can_any_bytes_harm_the_reader(chunks in prop::collection::vec(
        prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:\\u0 1t"[..])], 0..80), 0..40,
    )) {
        let mut reader = ObjectReader::default();
        for chunk in chunks {
            let found = reader.read(&chunk);
            prop_assert!(found.len() <= chunk.len());
            prop_assert!(reader.held() <= MAX_OBJECT_BYTES);
        }
    }
}
