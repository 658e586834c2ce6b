//! What carries a node's links, as `--transport` says it. Everything here follows from which transports
//! there are.

use crate::{transport, wire::Scheme};

use super::stop::Stop;

const FLAG: &str = "--transport";

/// In this order a node listens: the port that TCP got is easier to get for UDP than the other way round.
const TO_LISTEN: [Scheme; 2] = [Scheme::Tcp, Scheme::Udp];

/// In this order a client dials.
const TO_DIAL: [Scheme; 2] = [Scheme::Udp, Scheme::Tcp];

/// The transports that there are, in the order of listening.
pub(super) fn available() -> Vec<Scheme> {
    let is_there = |scheme: &Scheme| transport::names().any(|name| name == scheme.as_str());
    TO_LISTEN.into_iter().filter(is_there).collect()
}

/// What carries a link of a pipe.
pub(super) fn of_pipe(typed: &str, available: &[Scheme]) -> Result<Scheme, Stop> {
    find(typed, available).ok_or_else(|| refused(typed, names(available)))
}

/// What a server listens on.
pub(super) fn of_server(typed: Option<&str>, available: &[Scheme]) -> Result<Vec<Scheme>, Stop> {
    typed.map_or_else(|| Ok(available.to_vec()), |typed| several(typed, available))
}

/// What a peer listens on and dials with.
pub(super) fn of_peer(typed: Option<&str>, available: &[Scheme]) -> Result<Vec<Scheme>, Stop> {
    let best = || preferred(available).into_iter().take(1).collect();
    typed.map_or_else(|| Ok(best()), |typed| several(typed, available))
}

/// What a client dials with: the first, and where it gets no answer the second.
pub(super) fn of_client(typed: Option<&str>, available: &[Scheme]) -> Result<Vec<Scheme>, Stop> {
    match typed {
        None | Some("auto") => Ok(preferred(available)),
        Some(typed) => match find(typed, available) {
            Some(scheme) => Ok(vec![scheme]),
            None => Err(refused(typed, names(available).chain(["auto"]))),
        },
    }
}

fn preferred(available: &[Scheme]) -> Vec<Scheme> {
    TO_DIAL.into_iter().filter(|scheme| available.contains(scheme)).collect()
}

/// A list with commas, in the order of listening however it was typed.
fn several(typed: &str, available: &[Scheme]) -> Result<Vec<Scheme>, Stop> {
    let mut chosen = Vec::new();
    for name in typed.split(',') {
        let scheme = find(name.trim(), available).ok_or_else(|| refused(typed, names(available)))?;
        chosen.push(scheme);
    }
    Ok(available.iter().copied().filter(|scheme| chosen.contains(scheme)).collect())
}

fn find(name: &str, available: &[Scheme]) -> Option<Scheme> {
    available.iter().copied().find(|scheme| scheme.as_str() == name)
}

fn names(available: &[Scheme]) -> impl Iterator<Item = &'static str> {
    available.iter().map(|scheme| scheme.as_str())
}

fn refused(typed: &str, available: impl Iterator<Item = &'static str>) -> Stop {
    Stop::unavailable(FLAG, typed, &available.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use Scheme::{Tcp, Udp};

    use super::*;

    const BOTH: [Scheme; 2] = [Tcp, Udp];
    const ONLY_TCP: [Scheme; 1] = [Tcp];

    fn hint(refused: Result<Vec<Scheme>, Stop>) -> String {
        match refused.unwrap_err() {
            Stop::Trouble(_, trouble) => trouble.hint,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_carries_a_node_that_was_not_told() {
        assert_eq!(of_server(None, &BOTH), Ok(vec![Tcp, Udp]));
        assert_eq!(of_peer(None, &BOTH), Ok(vec![Udp]));
        assert_eq!(of_client(None, &BOTH), Ok(vec![Udp, Tcp]));
        for of_role in [of_server, of_peer, of_client] {
            assert_eq!(of_role(None, &ONLY_TCP), Ok(vec![Tcp]));
        }
    }

    #[test]
    fn what_carries_a_node_that_was_told() {
        for of_role in [of_server, of_peer, of_client] {
            assert_eq!(of_role(Some("tcp"), &BOTH), Ok(vec![Tcp]));
            assert_eq!(of_role(Some("udp"), &BOTH), Ok(vec![Udp]));
        }
        for of_role in [of_server, of_peer] {
            for typed in ["tcp,udp", "udp,tcp", "udp, tcp", "udp,tcp,udp"] {
                assert_eq!(of_role(Some(typed), &BOTH), Ok(vec![Tcp, Udp]), "{typed}");
            }
        }
        assert_eq!(of_client(Some("auto"), &BOTH), Ok(vec![Udp, Tcp]));
        assert_eq!(of_client(Some("auto"), &ONLY_TCP), Ok(vec![Tcp]));
    }

    #[test]
    fn is_what_is_not_there_refused_with_what_is() {
        assert_eq!(hint(of_server(Some("udp"), &ONLY_TCP)), "available: tcp");
        assert_eq!(hint(of_server(Some("tcp,udp"), &ONLY_TCP)), "available: tcp");
        assert_eq!(hint(of_client(Some("udp"), &ONLY_TCP)), "available: tcp, auto");
        assert_eq!(hint(of_client(Some("tcp,udp"), &BOTH)), "available: tcp, udp, auto");
        for typed in ["", "tcp,", "TCP", "auto", "memory", "quic"] {
            assert_eq!(hint(of_peer(Some(typed), &BOTH)), "available: tcp, udp", "{typed}");
        }
    }
}
