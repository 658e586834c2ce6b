//! The page of the `vsb` assignment: a browser shows who is in the chat and what is said, live. It only shows;
//! nothing can be done with it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::sleep,
};

use super::dialect::Board;

/// Browsers that look at the same time; further ones wait.
const MAX_CONNECTIONS: usize = 64;

/// How long a browser may take to ask.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Nothing but what comes from here may run, be drawn or be asked for.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A page that is bound and not served yet.
#[derive(Debug)]
pub struct Page {
    listener: TcpListener,
    addr: SocketAddr,
}

#[derive(Clone)]
struct Shared {
    board: watch::Receiver<Board>,
    addr: SocketAddr,
}

#[derive(Serialize)]
struct Shown {
    users: Vec<String>,
    messages: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    source: String,
    message: String,
}

impl Page {
    /// Binds it at `listen`; a port of 0 picks one.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn bind(listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr })
    }

    /// Where, with the port that was picked.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves it for ever.
    pub async fn serve(self, board: watch::Receiver<Board>) {
        let shared = Shared { board, addr: self.addr };
        let router = Router::new()
            .route("/", get(index))
            .route("/board.json", get(json))
            .route("/page.js", get(|| async { file("text/javascript", include_str!("page.js")) }))
            .route("/style.css", get(|| async { file("text/css", include_str!("style.css")) }))
            .layer(middleware::from_fn_with_state(shared.clone(), guard))
            .with_state(shared);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut open = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let router = router.clone();
                    open.spawn(async move {
                        answer(stream, router).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
            while open.try_join_next().is_some() {}
        }
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let served = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a browser was not served");
    }
}

/// A page of elsewhere whose name was made to lead here asks under that name: it is not answered.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut response = if is_ours(host, shared.addr) {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "not the name of this page\n").into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a browser may call this page so: by an address, which cannot be made to lead elsewhere, or as
/// localhost.
fn is_ours(host: &str, addr: SocketAddr) -> bool {
    let is_port = |port: &str| port.parse() == Ok(addr.port());
    host.parse::<SocketAddr>().is_ok_and(|at| at.port() == addr.port())
        || host.strip_prefix("localhost:").is_some_and(is_port)
        || (addr.port() == 80 && (host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()))
}

async fn json(State(shared): State<Shared>) -> Json<Shown> {
    let board = shared.board.borrow();
    let line =
        |(source, message): &(String, String)| Line { source: source.clone(), message: message.clone() };
    Json(Shown { users: board.users.clone(), messages: board.messages.iter().map(line).collect() })
}

/// With everything in it, for browsers that run no scripts.
async fn index(State(shared): State<Shared>) -> Html<String> {
    let board = shared.board.borrow();
    let users: String = board.users.iter().map(|user| format!("<li>{}</li>", escape(user))).collect();
    let line = |(source, message): &(String, String)| {
        format!("<li><b>{}</b> <span>{}</span></li>", escape(source), escape(message))
    };
    let messages: String = board.messages.iter().map(line).collect();
    Html(include_str!("index.html").replace("<!--users-->", &users).replace("<!--messages-->", &messages))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_foreign_name_not_answered() {
        let addr: SocketAddr = "127.0.0.1:4280".parse().unwrap();
        for ours in ["127.0.0.1:4280", "localhost:4280", "[::1]:4280", "192.168.1.7:4280"] {
            assert!(is_ours(ours, addr), "{ours}");
        }
        for foreign in
            ["", "evil.example:4280", "localhost", "localhost:80", "127.0.0.1:80", "localhost:4280.evil"]
        {
            assert!(!is_ours(foreign, addr), "{foreign}");
        }
    }

    #[test]
    fn is_text_of_strangers_only_text() {
        assert_eq!(
            escape("<img src=x onerror='a(\"b&\")'>"),
            "&lt;img src=x onerror=&#39;a(&quot;b&amp;&quot;)&#39;&gt;"
        );
    }
}
