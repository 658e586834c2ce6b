//! A message inside packets: `<type> <length> <rest>`.

use bytes::{BufMut, Bytes, BytesMut};

use crate::gateway::dialect::lums::message::{Message, word};

/// Characters of the rest, or its bytes where they are no text.
fn length(rest: &[u8]) -> usize {
    std::str::from_utf8(rest).map_or(rest.len(), |text| text.chars().count())
}

/// As it is in packets.
pub(super) fn written(message: &Message) -> Bytes {
    let head = format!("{} {}", message.verb, length(&message.rest));
    let mut bytes = BytesMut::with_capacity(head.len().saturating_add(message.rest.len()).saturating_add(1));
    bytes.put_slice(head.as_bytes());
    if !message.rest.is_empty() {
        bytes.put_u8(b' ');
        bytes.put_slice(&message.rest);
    }
    bytes.freeze()
}

/// The message, and whether its length is right: a wrong one is worth a word and no more (7.1). Where no
/// number is at its place, nothing is taken away.
pub(super) fn read(bytes: &Bytes) -> (Message, bool) {
    let message = Message::read(bytes);
    let (said, rest) = word(&message.rest);
    let Some(said) = std::str::from_utf8(&said).ok().and_then(|said| said.trim_end().parse::<usize>().ok())
    else {
        return (message, false);
    };
    let is_right = said == length(&rest);
    (Message { rest, ..message }, is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_length_that_of_the_characters_behind_it() {
        let written = |verb: &str, rest: &'static [u8]| {
            let rest = Bytes::from_static(rest);
            let message = Message { verb: verb.to_owned(), rest };
            let bytes = written(&message);
            assert_eq!(read(&bytes), (message, true));
            bytes
        };
        assert_eq!(written("join", b"client1"), "join 7 client1");
        assert_eq!(written("request_users_list", b""), "request_users_list 0");
        assert_eq!(written("msg", "1 a č".as_bytes()), "msg 5 1 a č");
        assert_eq!(written("file", b"1 a b \xff\xfe"), &b"file 8 1 a b \xff\xfe"[..]);
    }

    #[test]
    fn is_a_wrong_or_missing_length_no_reason_to_refuse() {
        let read = |text: &'static str| {
            let (message, is_right) = read(&Bytes::from_static(text.as_bytes()));
            assert!(!is_right, "{text}");
            message.rest
        };
        assert_eq!(read("send_message 99 1 client2 hello!"), "1 client2 hello!");
        assert_eq!(read("join client1"), "client1");
        assert_eq!(read("disconnect"), "");
    }
}
