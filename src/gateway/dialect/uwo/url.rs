//! Where the assignment's client is told to connect to.

/// Not an address of a chat server. Says what the assignment's client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Error:  Invalid server.  Enter a URL of the form:  chat://host:port")]
pub struct BadUrl;

/// Host and port of `chat://host:port`; the host of `chat://[::1]:5000` is `::1`.
///
/// # Errors
/// [`BadUrl`] for anything else.
pub fn parse_url(url: &str) -> Result<(String, u16), BadUrl> {
    let (scheme, rest) = url.split_once("://").ok_or(BadUrl)?;
    if !scheme.eq_ignore_ascii_case("chat") {
        return Err(BadUrl);
    }
    let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':').ok_or(BadUrl)?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_ipv6 = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.' | '%');
    let lawful = match bracketed {
        Some(host) => host.contains(':') && host.chars().all(|c| is_ipv6(c) || is_host(c)),
        None => !host.is_empty() && host.chars().all(is_host),
    };
    if !lawful || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadUrl);
    }
    match port.parse() {
        Ok(port) if port > 0 => Ok((bracketed.unwrap_or(host).to_owned(), port)),
        _ => Err(BadUrl),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_addresses_are_taken() {
        let at = |host: &str, port| Ok((host.to_owned(), port));
        assert_eq!(parse_url("chat://localhost:54307"), at("localhost", 54307));
        assert_eq!(parse_url("chat://127.0.0.1:1"), at("127.0.0.1", 1));
        assert_eq!(parse_url("CHAT://lab-3.example.org:65535/"), at("lab-3.example.org", 65535));
        assert_eq!(parse_url("chat://[::1]:5000"), at("::1", 5000));
    }

    #[test]
    fn which_addresses_are_refused_in_the_words_of_the_assignment() {
        for url in [
            "",
            "localhost:5000",
            "http://localhost:5000",
            "chat:localhost:5000",
            "chat://localhost",
            "chat://localhost:",
            "chat://:5000",
            "chat://localhost:0",
            "chat://localhost:65536",
            "chat://localhost:+5",
            "chat://localhost:five",
            "chat://a b:5",
            "chat://a@b:5",
            "chat://::1:5",
            "chat://[]:5",
            "chat://localhost:5000/room",
            "chat://local\nhost:5",
        ] {
            assert_eq!(parse_url(url), Err(BadUrl), "{url}");
        }
        let words = "Error:  Invalid server.  Enter a URL of the form:  chat://host:port";
        assert_eq!(BadUrl.to_string(), words);
    }
}
