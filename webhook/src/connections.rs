//! Connections within limits. Anybody who reaches the port can open as many as he likes, so a full house must not lock
//! out the API server: whoever comes is let in, and who has waited longest without being served goes.

mod places;

use axum::http::Response;
use axum_server::accept::Accept;
use futures::{FutureExt as _, future::BoxFuture};
use places::{Place, Places};
use std::{
    future::{Ready, ready},
    io,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
};
use tower::Service;

pub(crate) use places::Limits;

/// Read from a socket at once. rustls asks for 4 KiB at a time: of a review of 50 KiB, thirteen calls to the kernel
/// would cost as much as its deciphering.
const READ_AHEAD: usize = 32 << 10;

/// Gives each connection a place, and follows what happens on it.
#[derive(Clone, Debug)]
pub(crate) struct LimitedAcceptor {
    places: Arc<Places>,
}

impl LimitedAcceptor {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            places: Arc::new(Places::new(limits)),
        }
    }
}

impl<S> Accept<TcpStream, S> for LimitedAcceptor {
    type Stream = Placed;
    type Service = Watched<S>;
    type Future = Ready<io::Result<(Placed, Watched<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // Answers are small: waiting for a delayed acknowledgement would cost more than they do.
        ready(stream.set_nodelay(true).map(|()| {
            // A peer that is already gone has no address, and is of nobody. One of IPv4 is the same on either kind of socket.
            let peer = stream
                .peer_addr()
                .map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
            let seat = Arc::new(Seat {
                place: self.places.enter(peer),
                places: Arc::clone(&self.places),
            });
            let watched = Watched {
                inner: service,
                seat: Arc::clone(&seat),
            };
            let stream = BufReader::with_capacity(READ_AHEAD, stream);
            (Placed { stream, seat }, watched)
        }))
    }
}

/// A place among the places.
#[derive(Debug)]
struct Seat {
    place: Arc<Place>,
    places: Arc<Places>,
}

fn gone() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "closed to make room for another connection",
    )
}

/// A connection that ends when its place is taken from it, and gives it back when it ends by itself.
#[derive(Debug)]
pub(crate) struct Placed {
    stream: BufReader<TcpStream>,
    seat: Arc<Seat>,
}

impl Placed {
    fn poll_written<T>(&self, cx: &Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_pending() && self.seat.place.is_gone_before_writing(cx.waker()) {
            return Poll::Ready(Err(gone()));
        }
        written
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        self.seat.places.leave(&self.seat.place);
    }
}

impl AsyncRead for Placed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.seat.place.is_gone_before_reading(cx.waker()) {
            return Poll::Ready(Err(gone()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let received = buf.filled().len().saturating_sub(before);
        if received > 0 {
            self.seat.places.receive(&self.seat.place, received);
        }
        read
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.poll_written(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.poll_written(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The service of one connection, which tells when a request is in work and when one was answered.
#[derive(Clone, Debug)]
pub(crate) struct Watched<S> {
    inner: S,
    seat: Arc<Seat>,
}

impl<S, R, B> Service<R> for Watched<S>
where
    S: Service<R, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let work = Work::begin(Arc::clone(&self.seat));
        self.inner
            .call(request)
            .inspect(move |answer| work.end(matches!(answer, Ok(answer) if answer.status().is_success())))
            .boxed()
    }
}

/// A request in work; it ends unanswered when its connection does.
struct Work(Arc<Seat>);

impl Work {
    fn begin(seat: Arc<Seat>) -> Self {
        seat.places.begin(&seat.place);
        Self(seat)
    }

    fn end(self, answered: bool) {
        if answered {
            self.0.places.answered(&self.0.place);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.places.end(&self.0.place);
    }
}

#[cfg(test)]
mod tests;
