//! What comes back by ICMP, with the address that the datagram was sent to. The kernel keeps it in a queue
//! of its own (`IP_RECVERR`, ip(7)).

use std::{io::IoSliceMut, net::SocketAddr, os::fd::AsRawFd};

use nix::{
    errno::Errno,
    libc::{sock_extended_err, sockaddr_in6},
    sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg},
};

/// The next address at which nobody listens.
pub(super) fn next(socket: &impl AsRawFd) -> Option<SocketAddr> {
    loop {
        let mut byte = [0; 1];
        let mut slices = [IoSliceMut::new(&mut byte)];
        // Beside the complaint the kernel tells again all that it tells of datagrams that arrive.
        let mut space = nix::cmsg_space!(sock_extended_err, sockaddr_in6, [u8; 256]);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags).ok()?;
        let refused = message.cmsgs().ok()?.any(|control| {
            let (ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _)) =
                control
            else {
                return false;
            };
            i32::try_from(error.ee_errno).is_ok_and(|number| Errno::from_raw(number) == Errno::ECONNREFUSED)
        });
        let address = message.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|address| SocketAddr::from((address.ip(), address.port())));
            v4.or_else(|| {
                address.as_sockaddr_in6().map(|address| SocketAddr::from((address.ip(), address.port())))
            })
        });
        if let Some(address) = address.filter(|_| refused) {
            return Some(address);
        }
    }
}
