//! Where the webhook listens: on every address of IPv6 and of IPv4, since clusters have pods of either kind, or of both.

use anyhow::Context as _;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

/// Connections that the kernel keeps until they are accepted. Of one that finds no room the client tries again after a
/// second, which is a third of what the API server waits for an answer.
const BACKLOG: i32 = 4096;

/// Listens at a port of this address, or of all.
///
/// # Errors
/// When that address, or none, can be listened on.
pub(crate) fn listen(bind: Option<IpAddr>, port: u16) -> anyhow::Result<TcpListener> {
    let at = |address: IpAddr| {
        let address = SocketAddr::new(address, port);
        move || bound(address).with_context(|| format!("cannot listen on {address}"))
    };
    match bind {
        Some(address) => at(address)(),
        None => match bound(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
            Ok(listener) => Ok(listener),
            Err(error) if lacks_ipv6(&error) => at(Ipv4Addr::UNSPECIFIED.into())(),
            Err(error) => Err(error).with_context(|| format!("cannot listen on [::]:{port}")),
        },
    }
}

/// Whether a system has no IPv6: no such sockets, or no such address. One on which it is merely disabled
/// (`net.ipv6.conf.all.disable_ipv6`) has both, and takes IPv4 by them. All else would be in the way of IPv4, too, or
/// keep half of the clients out.
fn lacks_ipv6(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn bound(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // Said, as some systems begin with IPv6 alone: all of IPv4 comes in here, too.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn reached(listener: &TcpListener, from: IpAddr) -> bool {
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect(SocketAddr::new(from, port)).is_ok()
    }

    #[test]
    fn all_addresses_are_listened_on_unless_one_is_named() {
        let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
        // Disabled, IPv6 has sockets for all addresses, and none of its own.
        let has_v6 = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
        let has_loopback = TcpListener::bind((v6, 0)).is_ok();
        let all = listen(None, 0).unwrap();
        assert!(reached(&all, v4));
        assert_eq!(reached(&all, v6), has_v6 && has_loopback);
        assert_eq!(all.local_addr().unwrap().is_ipv6(), has_v6);

        let one = listen(Some(v4), 0).unwrap();
        assert!(reached(&one, v4) && !reached(&one, v6));
        // Also where a port is taken the address is named, and no other one is taken instead.
        let taken = one.local_addr().unwrap().port();
        let error = listen(Some(v4), taken).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on 127.0.0.1:{taken}"));
    }

    #[test]
    fn ipv4_alone_is_listened_on_only_where_there_is_no_ipv6() {
        for (code, lacks) in [
            (libc::EAFNOSUPPORT, true),
            (libc::EADDRNOTAVAIL, true),
            (libc::EADDRINUSE, false),
            (libc::EACCES, false),
            (libc::EMFILE, false),
        ] {
            assert_eq!(lacks_ipv6(&io::Error::from_raw_os_error(code)), lacks, "{code}");
        }
        // Taken for IPv6 alone: IPv4 would be free, and half of the clients turned away.
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP));
        let loopback = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0);
        let Some(socket) = socket.ok().filter(|socket| {
            let bound = socket.set_only_v6(true).and_then(|()| socket.bind(&loopback.into()));
            bound.and_then(|()| socket.listen(1)).is_ok()
        }) else {
            return;
        };
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let error = listen(None, port).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on [::]:{port}"));
    }
}
