//! What becomes of a request whose connection ends before the answer: sent again only where the server has done nothing, or twice is as once.

use super::{
    tests::{SERVER, ask, proxy},
    *,
};
use crate::installer::Hold;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How a server of HTTP/2, spoken by hand, ends a connection on which it is asked for the second time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    /// It says that the first was the last that it has looked at.
    AfterTheFirst,
    /// It says so of the second, which it answers no more.
    AfterTheSecond,
    /// It refuses that stream alone.
    Refusing,
    /// It says nothing.
    Cut,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
/// Of headers and data: the request is whole. Of settings and pings: it is the answer.
const END: u8 = 1;
const END_OF_HEADERS: u8 = 4;
/// `:status: 200`, of HPACK's own table.
const OK: [u8; 1] = [0x88];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Serves one connection, and counts the requests of it that it has looked at.
async fn serve(mut stream: TcpStream, mut ends: Option<Ends>, looked_at: &watch::Sender<u32>) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        let id = u32::from_be_bytes(id);
        match kind {
            SETTINGS if flags & END == 0 => stream.write_all(&frame(SETTINGS, END, 0, &[])).await?,
            PING if flags & END == 0 => stream.write_all(&frame(PING, END, 0, &payload)).await?,
            HEADERS | DATA if flags & END != 0 => match ends.take_if(|_| id > 1) {
                None => {
                    looked_at.send_modify(|count| *count += 1);
                    stream.write_all(&frame(HEADERS, END | END_OF_HEADERS, id, &OK)).await?;
                }
                Some(Ends::AfterTheFirst) => {
                    let no_error = [0, 0, 0, 1, 0, 0, 0, 0];
                    stream.write_all(&frame(GO_AWAY, 0, 0, &no_error)).await?;
                }
                Some(Ends::Refusing) => stream.write_all(&frame(RESET, 0, id, &[0, 0, 0, 7])).await?,
                Some(ends) => {
                    looked_at.send_modify(|count| *count += 1);
                    if ends == Ends::AfterTheSecond {
                        let no_error = [0, 0, 0, 3, 0, 0, 0, 0];
                        stream.write_all(&frame(GO_AWAY, 0, 0, &no_error)).await?;
                    }
                    return stream.shutdown().await;
                }
            },
            _ => {}
        }
    }
}

/// A client that speaks HTTP/2 to this port from the first byte on.
fn client(port: u16) -> Client {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    let sender = builder.http2_only(true).build_http();
    let service = tower::service_fn(move |mut request: Request<Body>| {
        *request.uri_mut() = format!("http://127.0.0.1:{port}{}", request.uri()).parse().unwrap();
        sender.request(request)
    });
    Client::new(service, "default")
}

#[tokio::test]
async fn what_a_server_that_goes_has_not_looked_at_is_sent_again_and_of_the_rest_what_reads() {
    for (ends, method, code, expected) in [
        (Ends::AfterTheFirst, Method::POST, 200, 2),
        (Ends::Refusing, Method::POST, 200, 2),
        (Ends::AfterTheSecond, Method::POST, 502, 2),
        (Ends::Cut, Method::POST, 502, 2),
        // Done twice it comes to the same.
        (Ends::Cut, Method::GET, 200, 3),
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (looked_at, count) = watch::channel(0);
        let looked_at = Arc::new(looked_at);
        tokio::spawn(async move {
            let mut ends = Some(ends);
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (looked_at, ends) = (Arc::clone(&looked_at), ends.take());
                tokio::spawn(async move { serve(stream, ends, &looked_at).await });
            }
        });
        let hold = Hold::default();
        let passes = Passes {
            held: hold.watched(),
            tenure: None,
        };
        let relay = Relay::listen(client(port), passes, "east", SERVER).await.unwrap();
        assert_eq!(ask(proxy(&relay), Method::GET, "/api/v1/pods").await.unwrap().0, 200);
        let (status, body) = ask(proxy(&relay), method, "/api/v1/pods").await.unwrap();
        assert_eq!(status, code, "{ends:?}: {body}");
        assert_eq!(*count.borrow(), expected, "{ends:?}");
    }
}
