//! Reading frames out of an opened payload.

use super::{
    super::{
        cid::ConnectionId,
        varint::{MAX_VARINT, Malformed, Reader},
    },
    AckFrame, Frame, Piece, kind,
};
use crate::transport::{Class, MAX_CLOSE_TEXT};

/// The last type of a message.
const MESSAGE_LAST: u64 = kind::MESSAGE | kind::WITH_LEN | kind::IS_PART;

/// The bits of a lane number that are its class.
const LANE_CLASS: u64 = 0x03;

/// The frames of a packet, in order. Ends after an error; what came before it was whole, but the packet is
/// a violation (RFC 9000 §12.4). So is one without a frame, which here just has none.
#[derive(Clone, Debug)]
pub(crate) struct Frames<'a> {
    reader: Reader<'a>,
}

impl<'a> Frames<'a> {
    /// The frames of `payload`, the opened payload of one packet.
    pub(crate) const fn new(payload: &'a [u8]) -> Self {
        Self { reader: Reader::new(payload) }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let frame = read_frame(&mut self.reader);
        if frame.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(frame)
    }
}

fn read_frame<'a>(reader: &mut Reader<'a>) -> Result<Frame<'a>, Malformed> {
    Ok(match reader.varint()? {
        kind::PADDING => {
            reader.skip_zeros();
            Frame::Padding
        }
        kind::PING => Frame::Ping,
        kind::ACK => Frame::Ack(AckFrame::read(reader, false)?),
        kind::ACK_ECN => Frame::Ack(AckFrame::read(reader, true)?),
        kind::CRYPTO => read_crypto(reader)?,
        kind::IMMEDIATE_ACK => Frame::ImmediateAck,
        kind::CREDIT => Frame::Credit { class: read_class(reader)?, limit: reader.varint()? },
        kind::BLOCKED => Frame::Blocked { class: read_class(reader)?, limit: reader.varint()? },
        kind::FINISH => {
            Frame::Finish { code: reader.u8()?, total: reader.varint()?, text: read_text(reader)? }
        }
        kind::CONSUMED => Frame::Consumed { messages: reader.varint()?, last: read_flag(reader)? },
        kind::PATH_CHALLENGE => Frame::PathChallenge(reader.array()?),
        kind::PATH_RESPONSE => Frame::PathResponse(reader.array()?),
        kind::NEW_CID => read_new_cid(reader)?,
        kind::RETIRE_CID => Frame::RetireCid { seq: reader.varint()? },
        kind::HANDSHAKE_DONE => Frame::HandshakeDone,
        kind::CLOSE => Frame::Close { code: reader.u8()?, text: read_text(reader)? },
        bits @ kind::MESSAGE..=MESSAGE_LAST => Frame::Message(read_piece(reader, bits)?),
        kind::FIRST_SKIPPABLE.. => {
            reader.prefixed()?;
            Frame::Unknown
        }
        _ => return Err(Malformed::FrameType),
    })
}

fn read_crypto<'a>(reader: &mut Reader<'a>) -> Result<Frame<'a>, Malformed> {
    let offset = reader.varint()?;
    let data = reader.prefixed()?;
    check_end(offset, data, MAX_VARINT)?;
    Ok(Frame::Crypto { offset, data })
}

fn read_piece<'a>(reader: &mut Reader<'a>, bits: u64) -> Result<Piece<'a>, Malformed> {
    let lane = reader.varint()?;
    class_of((lane & LANE_CLASS) as usize)?;
    let seq = reader.varint()?;
    let part = if bits & kind::IS_PART == 0 { None } else { Some((reader.varint()?, reader.varint()?)) };
    let data = if bits & kind::WITH_LEN == 0 { reader.rest() } else { reader.prefixed()? };
    if let Some((total, offset)) = part {
        check_end(offset, data, total)?;
    }
    Ok(Piece { lane, seq, part, data })
}

fn read_new_cid<'a>(reader: &mut Reader<'_>) -> Result<Frame<'a>, Malformed> {
    let seq = reader.varint()?;
    let retire_prior = reader.varint()?;
    if retire_prior > seq {
        return Err(Malformed::Retired);
    }
    Ok(Frame::NewCid { seq, retire_prior, cid: ConnectionId::new(reader.array()?), reset: reader.array()? })
}

fn read_class(reader: &mut Reader<'_>) -> Result<Class, Malformed> {
    class_of(usize::from(reader.u8()?))
}

fn class_of(index: usize) -> Result<Class, Malformed> {
    Class::ALL.get(index).copied().ok_or(Malformed::Class)
}

fn read_flag(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed::Flag),
    }
}

fn read_text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let text = reader.prefixed()?;
    if text.len() <= MAX_CLOSE_TEXT { Ok(text) } else { Err(Malformed::Text) }
}

/// Whether `data` from `offset` on stay within `total` bytes.
fn check_end(offset: u64, data: &[u8], total: u64) -> Result<(), Malformed> {
    match offset.checked_add(data.len() as u64) {
        Some(end) if end <= total => Ok(()),
        _ => Err(Malformed::PastEnd),
    }
}
