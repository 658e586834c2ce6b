//! Addresses as people type them.

use std::{
    fmt,
    net::{Ipv6Addr, SocketAddr, ToSocketAddrs},
};

use crate::app::Trouble;

use super::stop::{Status, Stop};

/// The port of a node when none is typed.
pub(super) const DEFAULT_PORT: u16 = 4224;

/// A node somewhere else, by the name it was given and where that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// As typed.
    pub text: String,
    /// All addresses of that host; never empty.
    pub addrs: Vec<SocketAddr>,
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Finds a host. `flag` is where it was typed.
pub(super) fn remote(flag: &str, text: &str) -> Result<Remote, Stop> {
    let (host, port) = split(flag, text)?;
    let addrs = resolve(host, port).ok_or_else(|| not_found(host))?;
    Ok(Remote { text: text.to_owned(), addrs })
}

/// An address of this computer.
pub(super) fn local(flag: &str, text: &str) -> Result<SocketAddr, Stop> {
    let (host, port) = split(flag, text)?;
    let addrs = resolve(host, port).unwrap_or_default();
    addrs.first().copied().ok_or_else(|| {
        let hint = "127.0.0.1:4224 is for this computer only, 0.0.0.0:4224 for the network";
        Stop::usage(format!("{flag} {text:?} is no address of this computer"), hint)
    })
}

fn resolve(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    let addrs: Vec<SocketAddr> = (host, port).to_socket_addrs().ok()?.collect();
    (!addrs.is_empty()).then_some(addrs)
}

/// Host and port; the port may be left out, an IPv6 address stands in brackets.
fn split<'a>(flag: &str, text: &'a str) -> Result<(&'a str, u16), Stop> {
    let wrong = |hint: &str| Stop::usage(format!("{flag} {text:?} is no address"), hint);
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(wrong(&format!("write an IPv6 address in brackets: [{text}]:{DEFAULT_PORT}")));
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or_default())),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_host = host.parse::<Ipv6Addr>().is_ok() || is_name(host);
    match port.map_or(Ok(DEFAULT_PORT), str::parse) {
        Ok(port) if is_host => Ok((host, port)),
        Ok(_) | Err(_) => Err(wrong("it looks like 192.168.1.20:4224, chat.example:4224 or [::1]:4224")),
    }
}

fn is_name(host: &str) -> bool {
    !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "[]:/".contains(c))
}

fn not_found(host: &str) -> Stop {
    let message = format!("cannot find the host {host:?}");
    let trouble = Trouble::new("not_found", message, "check the spelling or use the IP address");
    Stop::Trouble(Status::Unreachable, trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> String {
        remote("--server", text).unwrap().addrs[0].to_string()
    }

    #[test]
    fn how_can_an_address_be_typed() {
        assert_eq!(first("10.0.0.1:5000"), "10.0.0.1:5000");
        assert_eq!(first("10.0.0.1"), "10.0.0.1:4224");
        assert_eq!(first("[::1]:5000"), "[::1]:5000");
        assert_eq!(first("[::1]"), "[::1]:4224");
        assert!(remote("--server", "localhost").unwrap().addrs.iter().all(|addr| addr.ip().is_loopback()));
    }

    #[test]
    fn which_texts_are_no_address() {
        for wrong in ["", ":4224", "::1", "host:port", "host:70000", "a b:1", "[::1", "[::1]5", "node://x"] {
            let stop = remote("--server", wrong).unwrap_err();
            assert!(matches!(stop, Stop::Trouble(Status::Usage, _)), "{wrong}: {stop:?}");
        }
    }

    #[test]
    fn is_an_unknown_host_unreachable_and_not_wrong_usage() {
        let stop = remote("--server", "no-such-host.invalid").unwrap_err();
        assert!(matches!(stop, Stop::Trouble(Status::Unreachable, _)), "{stop:?}");
    }
}
