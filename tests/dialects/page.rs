//! The page of the `vsb` assignment (V18).

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

use crate::{hall::Hall, support::patience::eventually};

fn get(at: SocketAddr, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

/// V18, VSB-D11: users and messages, as text whatever they contain.
#[test]
fn does_the_page_show_users_and_messages() {
    let hall = Hall::with(&["vsb"], &["--web", "127.0.0.1:0"]);
    let web = hall.at("web");
    let mut vic = hall.wire("vsb", "vic");
    vic.line();
    vic.sends("{\"type\": \"set-name\", \"data\": \"<i>vic\"}\n");
    vic.line();
    vic.sends("{\"type\": \"message\", \"data\": \"<script>alert('1 & 2')</script>\"}\n");
    vic.line();

    let host = web.to_string();
    let page = eventually("the message is on the page", || {
        let (status, page) = get(web, "/", &host);
        assert_eq!(status, 200);
        page.contains("alert").then_some(page)
    });
    assert!(page.contains("&lt;i&gt;vic"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(&#39;1 &amp; 2&#39;)&lt;/script&gt;"), "{page}");
    assert!(!page.contains("<i>vic") && !page.contains("<script>alert"), "{page}");

    let (status, board) = get(web, "/board.json", &host);
    assert_eq!(status, 200);
    let board: Value = serde_json::from_str(&board).unwrap();
    assert_eq!(board["users"], serde_json::json!(["<i>vic"]));
    let message = serde_json::json!({"source": "<i>vic", "message": "<script>alert('1 & 2')</script>"});
    assert_eq!(board["messages"], serde_json::json!([message]));
}

/// A page of elsewhere that was made to lead here is not answered.
#[test]
fn is_a_foreign_host_refused() {
    let hall = Hall::with(&["vsb"], &["--web", "127.0.0.1:0"]);
    let web = hall.at("web");
    for host in ["evil.example", &format!("evil.example:{}", web.port()), ""] {
        assert_eq!(get(web, "/", host).0, 421, "{host}");
        assert_eq!(get(web, "/board.json", host).0, 421, "{host}");
    }
    assert_eq!(get(web, "/", &format!("localhost:{}", web.port())).0, 200);
    assert_eq!(get(web, "/nothing", &web.to_string()).0, 404);
}
