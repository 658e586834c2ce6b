//! Course systems: programs of students (`tests/clients`) and conversations byte for byte
//! (`tests/transcripts`) against the real program, as server, client and peer.
//! `docs/dialects.md` numbers what each system asks for.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test cannot do fails it")]

mod support;

#[path = "dialects/hall.rs"]
mod hall;
#[path = "dialects/script.rs"]
mod script;
#[path = "dialects/wire.rs"]
mod wire;

#[path = "dialects/bad_input.rs"]
mod bad_input;
#[path = "dialects/callers.rs"]
mod callers;
#[path = "dialects/crowd.rs"]
mod crowd;
#[path = "dialects/files.rs"]
mod files;
#[path = "dialects/iowa.rs"]
mod iowa;
#[path = "dialects/lums.rs"]
mod lums;
#[path = "dialects/names.rs"]
mod names;
#[path = "dialects/packets.rs"]
mod packets;
#[path = "dialects/page.rs"]
mod page;
#[path = "dialects/together.rs"]
mod together;
#[path = "dialects/transcripts.rs"]
mod transcripts;
#[path = "dialects/udp.rs"]
mod udp;
#[path = "dialects/uwo.rs"]
mod uwo;
#[path = "dialects/vsb.rs"]
mod vsb;
