//! The objects of files: offered, under way, saved. The number of a transfer is text there, so that it may
//! one day be more than a number.

use std::borrow::Cow;

use serde::Serialize;

use crate::{
    app::{TransferFigures, TransferState},
    wire::RoomName,
};

#[derive(Serialize)]
pub(super) struct Offer<'a> {
    pub(super) transfer: String,
    pub(super) from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room: Option<&'a RoomName>,
    pub(super) name: &'a str,
    pub(super) bytes: u64,
}

#[derive(Serialize)]
pub(super) struct Saved<'a> {
    pub(super) transfer: String,
    pub(super) from: &'a str,
    pub(super) name: &'a str,
    pub(super) bytes: u64,
    pub(super) path: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Progress {
    transfer: String,
    bytes: u64,
    total: u64,
}

#[derive(Serialize)]
pub(super) struct Transfer<'a> {
    transfer: String,
    name: &'a str,
    peer: &'a str,
    outgoing: bool,
    bytes: u64,
    total: u64,
}

#[derive(Serialize)]
pub(super) struct Changed<'a> {
    #[serde(flatten)]
    transfer: Transfer<'a>,
    state: &'static str,
    /// In words where it waits, a code where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    failure: Option<Failure<'a>>,
}

#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
    hint: &'a str,
}

impl From<&TransferFigures> for Progress {
    fn from(figures: &TransferFigures) -> Self {
        let TransferFigures { id, bytes, total, .. } = *figures;
        Self { transfer: id.to_string(), bytes, total }
    }
}

impl<'a> Transfer<'a> {
    pub(super) fn new(figures: &'a TransferFigures, peer: &'a str) -> Self {
        let TransferFigures { id, ref name, outgoing, bytes, total, held: _ } = *figures;
        Self { transfer: id.to_string(), name, peer, outgoing, bytes, total }
    }
}

impl<'a> Changed<'a> {
    pub(super) fn new(figures: &'a TransferFigures, peer: &'a str, state: &'a TransferState) -> Self {
        let mut failure = None;
        let (state, reason) = match state {
            TransferState::Offered => ("offered", None),
            TransferState::Accepted => ("accepted", None),
            TransferState::Resumed => ("resumed", None),
            TransferState::Waiting { reason } => ("waiting", Some(reason.as_str())),
            TransferState::Verifying => ("verifying", None),
            TransferState::Done => ("done", None),
            TransferState::Failed { reason } => {
                failure = Some(Failure { message: &reason.message, hint: &reason.hint });
                ("failed", Some(reason.code))
            }
        };
        Self { transfer: Transfer::new(figures, peer), state, reason, failure }
    }
}
