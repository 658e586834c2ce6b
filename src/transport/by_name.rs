//! The transports that people choose from, by name. A new one is a line in the list, and nothing else
//! names it.

use std::sync::Arc;

use super::{Security, TcpTransport, Transport, UdpTransport, impair::Impairment};

type Make = fn(Security, Option<Impairment>) -> Arc<dyn Transport>;

/// The one list.
const ALL: &[(&str, Make)] = &[
    ("tcp", |security, _| Arc::new(TcpTransport::new(security))),
    ("udp", |security, impairment| Arc::new(UdpTransport::new(security).impaired(impairment))),
];

/// What can be chosen.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

/// The transport of this name; `None` where there is none. An impairment is for those that send
/// datagrams; of a stream nothing can be dropped.
pub fn by_name(name: &str, security: Security, impairment: Option<Impairment>) -> Option<Arc<dyn Transport>> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, make)| make(security, impairment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_transport_called_what_the_list_calls_it() {
        for name in names() {
            assert_eq!(by_name(name, Security::Insecure, None).unwrap().name(), name);
        }
        assert!(by_name("memory", Security::Insecure, None).is_none(), "there is nothing to choose it for");
    }
}
