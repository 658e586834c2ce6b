//! The transports that are compared.

use std::sync::Arc;

use sayagain::{
    node::Identity,
    transport::{Keys, Security, Transport, by_name},
};

/// One of them, sealed or not.
pub(crate) struct Carrier {
    pub(crate) name: &'static str,
    transport: &'static str,
    insecure: bool,
}

pub(crate) const CARRIERS: [Carrier; 4] = [
    Carrier { name: "tcp", transport: "tcp", insecure: false },
    Carrier { name: "tcp-insecure", transport: "tcp", insecure: true },
    Carrier { name: "udp", transport: "udp", insecure: false },
    Carrier { name: "udp-insecure", transport: "udp", insecure: true },
];

impl Carrier {
    /// A transport of a node with a key of its own.
    pub(crate) fn transport(&self) -> Arc<dyn Transport> {
        let security = if self.insecure {
            Security::Insecure
        } else {
            let key = Identity::ephemeral().expect("random bytes").key;
            Security::Tls(Keys::from_pkcs8(&key.to_pkcs8()).expect("its own key"))
        };
        by_name(self.transport, security, None).expect("a name of the list")
    }
}
