//! How much the first link of a path takes, which the kernel knows.

use std::net::SocketAddr;

/// Bytes of the packets that the interface towards `remote` takes, or less where the kernel knows of a narrower
/// link behind it. `None` where nobody tells: over IPv6, and elsewhere than on Linux.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(in super::super) fn interface_mtu(remote: SocketAddr) -> Option<u16> {
    use std::net::{Ipv4Addr, UdpSocket};

    use nix::sys::socket::{getsockopt, sockopt::IpMtu};

    if remote.is_ipv6() {
        return None;
    }
    // To connect a socket sends nothing: the kernel chooses the route.
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    probe.connect(remote).ok()?;
    let bytes = getsockopt(&probe, IpMtu).ok()?;
    Some(u16::try_from(bytes).unwrap_or(u16::MAX))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(in super::super) fn interface_mtu(_remote: SocketAddr) -> Option<u16> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_loopback_known_to_take_more_than_ethernet() {
        let known = interface_mtu(SocketAddr::from(([127, 0, 0, 1], 9)));
        if cfg!(target_os = "linux") {
            assert!(known.is_some_and(|bytes| bytes > 1500), "{known:?}");
        }
        assert_eq!(interface_mtu(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 9))), None);
    }
}
