//! Reading a list as protobuf while it arrives: item by item, so that ten thousand pods take the memory of one.
//!
//! The API server wraps a list as `k8s\0` and a message `Unknown`, whose field 2 holds the list, whose field 2 holds the
//! items (k8s.io/apimachinery, `pkg/runtime/generated.proto`). No schema is needed to walk it.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use tower::BoxError;

/// Begins every message of the API server.
const MAGIC: &[u8; 4] = b"k8s\0";
/// Longest item that is read: etcd takes no object above some 1.5 MiB.
const MAX_ITEM: u64 = 8 << 20;

/// Why a message could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The connection broke.
    #[error("{0}")]
    Transport(BoxError),
    /// It ended before what it had announced.
    #[error("it ended after {read} bytes, before the end that it had announced")]
    Truncated {
        /// Bytes that came.
        read: u64,
    },
    /// It is not what it should be.
    #[error("it is no protobuf list: {0}")]
    Shape(&'static str),
}

/// A field's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A number or a truth value.
    Number(u64),
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The content as text; empty where it is none.
    pub fn text(self) -> &'a str {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            Self::Number(_) => "",
        }
    }

    /// The fields of a message; none where it is a number.
    pub fn fields(self) -> Fields<'a> {
        match self {
            Self::Bytes(bytes) => Fields(bytes),
            Self::Number(_) => Fields(&[]),
        }
    }
}

/// Fields of a message with their numbers. What is malformed ends them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The content of all fields of one number.
    pub fn all(self, number: u64) -> impl Iterator<Item = Value<'a>> {
        self.filter(move |(found, _)| *found == number).map(|(_, value)| value)
    }

    /// The text of the first field of a number; empty where there is none.
    pub fn text(self, number: u64) -> &'a str {
        self.all(number).next().map_or("", Value::text)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self, length: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => Value::Bytes(self.bytes(8)?),
            2 => {
                let length = self.number()?;
                Value::Bytes(self.bytes(length)?)
            }
            5 => Value::Bytes(self.bytes(4)?),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

/// How much of a list an answer held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// Its first page; nothing of that was handed out.
    FirstPage,
}

/// Hands each item of a list to `item` as it arrives, and makes sure that all that was announced came. Of a list that goes
/// on in another page, which its beginning tells, nothing is handed out: half of it would look like all of it.
pub(super) async fn each_item<S, E>(stream: S, mut item: impl FnMut(Fields<'_>)) -> Result<Extent, Broken>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<BoxError>,
{
    let mut reader = Reader::new(stream);
    if reader.take(MAGIC.len() as u64).await? != MAGIC.as_slice() {
        return Err(Broken::Shape("it begins otherwise"));
    }
    let (mut lists, mut handed, mut extent) = (0_u32, false, Extent::Whole);
    while !reader.is_at_end().await? {
        if reader.number().await? != field(2) {
            reader.back_and_skip().await?;
            continue;
        }
        lists += 1;
        let length = reader.number().await?;
        let end = reader.read.checked_add(length).ok_or(Broken::Shape("a length"))?;
        while reader.read < end {
            if reader.number().await? == field(2) {
                let length = reader.number().await?;
                let bytes = reader.take(length).await?;
                if extent == Extent::Whole {
                    handed = true;
                    item(Fields(&bytes));
                }
            } else {
                let meta = reader.back_and_skip().await?;
                if !Fields(&meta).text(3).is_empty() {
                    extent = Extent::FirstPage;
                }
                if handed && extent == Extent::FirstPage {
                    return Err(Broken::Shape("it goes on with another page"));
                }
            }
        }
        if reader.read != end {
            return Err(Broken::Shape("its parts and its length disagree"));
        }
    }
    if lists == 1 {
        Ok(extent)
    } else {
        Err(Broken::Shape("it holds not one list"))
    }
}

/// The text of one whole message's field, as `message` of a Status: how the API server refuses.
pub(super) fn unwrapped(message: &[u8]) -> Option<Value<'_>> {
    Fields(message.strip_prefix(MAGIC)?).all(2).next()
}

/// Tag of a field that holds text, bytes or a message.
fn field(number: u64) -> u64 {
    number << 3 | 2
}

/// Takes bytes off a stream, and counts them.
struct Reader<S> {
    stream: S,
    buffer: BytesMut,
    read: u64,
    tag: u64,
}

impl<S, E> Reader<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<BoxError>,
{
    fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            read: 0,
            tag: 0,
        }
    }

    /// Waits for more; false at the stream's end.
    async fn more(&mut self) -> Result<bool, Broken> {
        match self.stream.next().await {
            Some(Ok(bytes)) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(true)
            }
            Some(Err(error)) => Err(Broken::Transport(error.into())),
            None => Ok(false),
        }
    }

    async fn is_at_end(&mut self) -> Result<bool, Broken> {
        while self.buffer.is_empty() {
            if !self.more().await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn take(&mut self, length: u64) -> Result<BytesMut, Broken> {
        let wanted = usize::try_from(length).ok().filter(|_| length <= MAX_ITEM);
        let wanted = wanted.ok_or(Broken::Shape("a part is too long"))?;
        while self.buffer.len() < wanted {
            if !self.more().await? {
                let read = self.read + self.buffer.len() as u64;
                return Err(Broken::Truncated { read });
            }
        }
        self.read += length;
        Ok(self.buffer.split_to(wanted))
    }

    /// A number; the last one is kept, for a tag that turns out to be another.
    async fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1).await?.first().copied().unwrap_or_default();
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                self.tag = number;
                return Ok(number);
            }
        }
        Err(Broken::Shape("a number has no end"))
    }

    /// Passes over the field whose tag was just read, and returns what it held.
    async fn back_and_skip(&mut self) -> Result<BytesMut, Broken> {
        match self.tag & 7 {
            0 => self.number().await.map(|_| BytesMut::new()),
            1 => self.take(8).await,
            2 => {
                let length = self.number().await?;
                self.take(length).await
            }
            5 => self.take(4).await,
            _ => Err(Broken::Shape("an unknown kind of field")),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use futures::stream;
    use std::convert::Infallible;

    fn number(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    /// A field that holds text or a message.
    pub fn held(at: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
        let content = content.as_ref();
        [number(field(at)), number(content.len() as u64), content.to_vec()].concat()
    }

    /// A list as the API server sends it.
    pub fn list(meta: &[u8], items: &[Vec<u8>]) -> Vec<u8> {
        let items: Vec<u8> = items.iter().flat_map(|item| held(2, item)).collect();
        let kind = held(1, [held(1, "v1"), held(2, "PodList")].concat());
        let list = held(2, [held(1, meta), items].concat());
        [MAGIC.to_vec(), kind, list, held(3, ""), held(4, "")].concat()
    }

    /// Reads a message that comes in pieces of a size.
    async fn read(message: &[u8], piece: usize) -> Result<Vec<String>, Broken> {
        Ok(read_extent(message, piece).await?.0)
    }

    async fn read_extent(message: &[u8], piece: usize) -> Result<(Vec<String>, Extent), Broken> {
        let pieces = message
            .chunks(piece)
            .map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
        let mut found = Vec::new();
        let extent = each_item(stream::iter(pieces), |item| found.push(item.text(1).to_owned())).await?;
        Ok((found, extent))
    }

    #[tokio::test]
    async fn items_come_whole_however_the_bytes_are_cut() {
        let long = "x".repeat(70_000);
        let items = [
            held(1, "one"),
            Vec::new(),
            held(1, &long),
            [vec![0x28, 0x96, 0x01], held(1, "last")].concat(),
        ];
        let message = list(&held(2, "17"), &items);
        for piece in [1, 2, 3, 1000, message.len()] {
            assert_eq!(
                read(&message, piece).await.unwrap(),
                ["one", "", long.as_str(), "last"],
                "{piece}"
            );
        }
        assert!(read(&list(&[], &[]), 1).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn no_message_that_was_cut_short_passes() {
        let message = list(&held(2, "17"), &[held(1, "one"), held(1, "two")]);
        // The two empty fields at its end say nothing, and the last may be missing.
        let said = message.len() - 4;
        for end in 0..said {
            let result = read(&message[..end], 7).await;
            assert!(
                matches!(result, Err(Broken::Truncated { .. } | Broken::Shape(_))),
                "{end}: {result:?}"
            );
        }
        assert!(read(&message[..said], 7).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_no_list_is_refused() {
        let huge = [MAGIC.to_vec(), number(field(2)), number(u64::MAX)].concat();
        let item = [
            MAGIC.to_vec(),
            number(field(2)),
            number(MAX_ITEM + 20),
            number(field(2)),
            number(MAX_ITEM + 1),
        ];
        let beyond = [
            MAGIC.to_vec(),
            number(field(2)),
            number(3),
            number(field(2)),
            number(9),
            vec![0; 9],
        ];
        let late = held(2, [held(2, held(1, "one")), held(1, held(3, "token"))].concat());
        let late = [MAGIC.to_vec(), late];
        for (what, message) in [
            ("JSON", br#"{"kind":"PodList","items":[]}"#.to_vec()),
            ("nothing", Vec::new()),
            ("no list in it", [MAGIC.to_vec(), held(1, "v1")].concat()),
            ("a page that tells so at its end", late.concat()),
            ("a length beyond all bounds", huge),
            ("an item beyond all bounds", item.concat()),
            ("an item longer than its list", beyond.concat()),
            ("an endless number", [MAGIC.to_vec(), vec![0xff; 20]].concat()),
            ("a group", [MAGIC.to_vec(), vec![0x0b]].concat()),
        ] {
            assert!(read(&message, 5).await.is_err(), "{what}");
        }
    }

    #[tokio::test]
    async fn of_a_first_page_nothing_is_handed_out() {
        let message = list(&[held(2, "17"), held(3, "token")].concat(), &[held(1, "one")]);
        assert_eq!(read_extent(&message, 3).await.unwrap(), (Vec::new(), Extent::FirstPage));
        let whole = list(&held(2, "17"), &[held(1, "one")]);
        assert_eq!(
            read_extent(&whole, 3).await.unwrap(),
            (vec!["one".to_owned()], Extent::Whole)
        );
        // What is cut is no page either.
        assert!(read_extent(&message[..message.len() - 5], 3).await.is_err());
    }

    #[test]
    fn fields_of_garbage_end() {
        for garbage in [
            &[0xff; 20][..],
            &[0x0a, 0x05, 0x01],
            &[0x0b, 0x00],
            &[0x09, 1, 2],
            &[0x08],
        ] {
            assert_eq!(Fields(garbage).count(), 0, "{garbage:?}");
        }
        assert_eq!(Fields(&held(1, [0xff, 0xfe])).text(1), "");
    }
}
