//! `pipe`: one link for other programs. Netcat, with messages and lanes.
//!
//! Stdin and stdout may stand still for ever, so each has a thread of its own. It talks to the link
//! directly: no queue but those of the link, no task for a message, and a link whose stream stands still
//! keeps its timers, as the process keeps its ears for signals.

mod dial;
mod input;
mod listen;
mod output;

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum, value_parser};
use tokio::runtime;

use crate::{
    app::Trouble,
    node::Identity,
    transport::{self, Class, Keys, Security, Transport},
    ui::{Printed, Streams, clean},
    wire::Scheme,
};

use super::{
    address, carriers, impair, opening,
    signals::cannot_start,
    start::identity_trouble,
    stop::{Status, Stop},
};

/// As many as a u16 can tell apart.
const MOST_LANES: i64 = 1 << 16;

/// The two ends of a pipe.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum End {
    /// Take one link after another; each message goes to stdout: u32 little-endian length, then the bytes
    Listen {
        #[command(flatten)]
        place: Place,
    },
    /// Make a link; each message comes from stdin: u32 little-endian length, u16 little-endian lane, then
    /// the bytes. Says `ready` once connected, and ends with 0 after everything was consumed
    Dial {
        #[command(flatten)]
        place: Place,

        /// Lanes, each with an order of its own
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=MOST_LANES))]
        lanes: u32,

        /// How urgent: small messages that must not wait, or long ones that may
        #[arg(long, value_name = "CLASS", default_value = "thin")]
        class: ClassName,
    },
}

/// Where an end is, and what carries the link.
#[derive(Args, Clone, Debug)]
pub(super) struct Place {
    /// Where to listen, or whom to dial; listening on port 0 picks a free one and says so on stderr
    #[arg(value_name = "ADDR:PORT")]
    addr: String,

    /// What carries it
    #[arg(long, value_name = "TRANSPORT")]
    transport: String,

    /// A plaintext link, on a network you trust; both ends must say it
    #[arg(long)]
    insecure: bool,

    /// A bad link to try it on: what this end sends over udp is lost, late and doubled as in a profile of
    /// netem/profiles, by name or file
    #[arg(long, value_name = "PROFILE[,seed=N]")]
    impair: Option<String>,
}

/// A class of lanes, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ClassName {
    /// Small messages that must not wait
    Thin,
    /// Long ones that may
    Bulk,
}

/// What carries the link, with a key that dies with this process.
#[derive(Debug)]
struct Carrier {
    scheme: Scheme,
    transport: Arc<dyn Transport>,
}

/// Is one end of a pipe, to its end.
pub(super) fn run(end: End) -> Result<Status, Stop> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::failed(cannot_start(&error)))?;
    match end {
        End::Listen { place } => {
            let addr = address::local("pipe listen", &place.addr)?;
            runtime.block_on(listen::run(&Carrier::new(&place)?, addr))
        }
        End::Dial { place, lanes, class } => {
            let remote = address::remote("pipe dial", &place.addr)?;
            let lanes = dial::Lanes { count: lanes, class: class.into() };
            runtime.block_on(dial::run(&Carrier::new(&place)?, &remote, lanes))
        }
    }
}

impl Carrier {
    fn new(place: &Place) -> Result<Self, Stop> {
        let impairment = impair::over(Some(&place.transport), place.impair.as_deref())?;
        impairment.iter().for_each(|impairment| tell(&opening::impaired(impairment)));
        let scheme = carriers::of_pipe(&place.transport, &carriers::available())?;
        let security = if place.insecure {
            tell("plaintext: anybody on the way can read and change what passes (--insecure)");
            Security::Insecure
        } else {
            Security::Tls(ephemeral()?)
        };
        match transport::by_name(scheme.as_str(), security, impairment) {
            Some(transport) => Ok(Self { scheme, transport }),
            None => Err(Stop::unavailable("--transport", &place.transport, &[])),
        }
    }
}

fn ephemeral() -> Result<Keys, Stop> {
    let identity = Identity::ephemeral().map_err(|error| Stop::failed(identity_trouble(&error)))?;
    let keys = Keys::from_pkcs8(&identity.key.to_pkcs8());
    keys.map_err(|error| Stop::failed(Trouble::new("key_bad", error.to_string(), "start it again")))
}

/// For people; stdout belongs to the messages.
fn tell(line: &str) {
    // Without stderr nobody misses it.
    drop(Streams::standard(false).write(&Printed::Answer(clean(line).into_owned())));
}

impl From<ClassName> for Class {
    fn from(name: ClassName) -> Self {
        match name {
            ClassName::Thin => Self::Thin,
            ClassName::Bulk => Self::Bulk,
        }
    }
}
