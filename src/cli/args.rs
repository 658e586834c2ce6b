//! The flags, and nothing else. Every option is optional here: what a missing one means is decided in
//! `settings.rs`, after the variables and the file had their say.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    builder::BoolishValueParser, parser::ValueSource,
};
use serde::Deserialize;

use super::{keep, pipe};

/// Chat with or without a server, over links that lose, reorder and stall.
#[derive(Debug, Parser)]
#[command(
    name = "sayagain",
    version = concat!(env!("CARGO_PKG_VERSION"), " (chat node; not Node.js)"),
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) options: Options,

    /// Read options from this file [default: sayagain/config.toml in the XDG config directory]
    #[arg(long, value_name = "FILE", env = "SAYAGAIN_CONFIG")]
    pub(super) config: Option<PathBuf>,

    #[command(flatten)]
    pub(super) own: OwnArguments,

    /// Log more; twice for even more (RUST_LOG chooses what)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// Write nothing to stderr but errors
    #[arg(short, long)]
    pub(super) quiet: bool,

    #[command(subcommand)]
    pub(super) beside: Option<Beside>,
}

/// What programs of the course systems take, so that a line of an assignment works with this program's name
/// and its `--dialect`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "With --dialect, as in the assignments")]
pub(super) struct OwnArguments {
    /// iowa: NAME PORT IP:PORT...; uwo: NAME chat://HOST:PORT; vsb: HOST PORT
    #[arg(value_name = "ARGUMENT")]
    pub(super) words: Vec<String>,

    /// lums: your name
    #[arg(short, long, value_name = "NAME")]
    pub(super) user: Option<String>,

    /// lums: the port of the server
    #[arg(short, long, value_name = "PORT")]
    pub(super) port: Option<u16>,

    /// lums: the address of the server
    #[arg(short, long, value_name = "ADDRESS")]
    pub(super) address: Option<String>,

    /// uwo: terms to follow from the start
    #[arg(short, long, value_name = "TERM,...", value_delimiter = ',')]
    pub(super) follow: Vec<String>,

    /// lums-udp: packets in flight; 0 sends each message once, as in part 1 [default: 3]
    #[arg(short, long, value_name = "N")]
    pub(super) window: Option<usize>,

    /// lums: what is printed for input that fits no format [default: the words of its edition]
    #[arg(long, value_name = "TEXT")]
    pub(super) lums_format_line: Option<String>,
}

/// What the program does beside being a node.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Beside {
    /// A server and three people talking over udp on a bad link, and what it took; beside it the same over
    /// tcp, where this kernel can make such a link. Ends by itself
    Demo {
        /// The link: a profile of netem/profiles, by name or file [default: lossy30]
        #[arg(long, value_name = "PROFILE[,seed=N]")]
        impair: Option<String>,

        /// The half of the demonstration that it starts by itself, in a network made for it
        #[arg(long, hide = true)]
        over_tcp: bool,
    },
    /// What is kept on disk: write it out, check it, make the file smaller
    #[command(subcommand)]
    History(keep::Task),
    /// One link for other programs: netcat with messages and lanes
    #[command(subcommand, arg_required_else_help = false)]
    Pipe(pipe::End),
    /// Print the completions of a shell
    Completions {
        /// Which
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// The options, with the same keys in the file.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Options {
    /// What this node is
    #[arg(long, value_name = "ROLE", env = "SAYAGAIN_ROLE")]
    pub(super) role: Option<RoleName>,

    /// What carries it: tcp, udp or both with a comma; a client also auto [default: server tcp,udp; client
    /// auto, which is udp, and tcp when udp gets no answer; peer udp]
    #[arg(long, value_name = "TRANSPORT", env = "SAYAGAIN_TRANSPORT")]
    pub(super) transport: Option<String>,

    /// Server, peer: where to listen; port 0 picks a free one, none leaves only the doors of a server [default:
    /// server 127.0.0.1:4224; peer a free port, on loopback when all --peers are]
    #[arg(long, value_name = "ADDR:PORT", env = "SAYAGAIN_LISTEN")]
    pub(super) listen: Option<String>,

    /// Client: the server [default: 127.0.0.1:4224]
    #[arg(long, value_name = "ADDR:PORT", env = "SAYAGAIN_SERVER")]
    pub(super) server: Option<String>,

    /// Peer: others to join; one that answers is enough [default: none]
    #[arg(long, value_name = "ADDR:PORT,...", value_delimiter = ',', env = "SAYAGAIN_PEERS")]
    pub(super) peers: Option<Vec<String>>,

    /// Client, peer: your name [default: the login name]
    #[arg(long, value_name = "NAME", env = "SAYAGAIN_NAME")]
    pub(super) name: Option<String>,

    /// Client, peer: a room to join; may repeat, the first is the current one [default: lobby]
    #[arg(long, value_name = "ROOM", value_delimiter = ',', env = "SAYAGAIN_ROOM")]
    pub(super) room: Option<Vec<String>>,

    /// Where what was said is kept: none, memory (until the node ends) or a file [default: server, client a file
    /// in the data directory; peer memory]
    #[arg(long, value_name = "WHERE", env = "SAYAGAIN_HISTORY")]
    pub(super) history: Option<String>,

    /// Records kept of each room on disk, the last so many [default: 1000000]
    #[arg(long, value_name = "N", env = "SAYAGAIN_RETAIN_RECORDS")]
    pub(super) retain_records: Option<u64>,

    /// Bytes kept of each room on disk [default: 1073741824]
    #[arg(long, value_name = "N", env = "SAYAGAIN_RETAIN_BYTES")]
    pub(super) retain_bytes: Option<u64>,

    /// Days that what was said is kept on disk [default: no limit]
    #[arg(long, value_name = "N", env = "SAYAGAIN_RETAIN_DAYS")]
    pub(super) retain_days: Option<u64>,

    /// Client, peer: whose files are taken without asking: ask (nobody's), all, or names with a comma between
    /// them [default: ask]
    #[arg(long, value_name = "ask|all|NAME,...", env = "SAYAGAIN_ACCEPT_FILES")]
    pub(super) accept_files: Option<String>,

    /// Client, peer: bytes of the longest file that is taken [default: 1073741824]
    #[arg(long, value_name = "N", env = "SAYAGAIN_MAX_FILE_BYTES")]
    pub(super) max_file_bytes: Option<u64>,

    /// Client, peer: where files go [default: downloads in the data directory]
    #[arg(long, value_name = "DIR", env = "SAYAGAIN_DOWNLOADS")]
    pub(super) downloads: Option<PathBuf>,

    /// Server, peer: links at the same time [default: 1000]
    #[arg(long, value_name = "N", env = "SAYAGAIN_MAX_CLIENTS")]
    pub(super) max_clients: Option<u64>,

    /// Server, peer: bytes of the longest message, up to 60000 [default: 16384]
    #[arg(long, value_name = "N", env = "SAYAGAIN_MAX_MESSAGE_BYTES")]
    pub(super) max_message_bytes: Option<u64>,

    /// Server, peer: rooms at the same time [default: 1000]
    #[arg(long, value_name = "N", env = "SAYAGAIN_MAX_ROOMS")]
    pub(super) max_rooms: Option<u64>,

    /// A course system: iowa, uwo, uwo-udp, vsb, lums or lums-udp; beside a server's own listeners, and may
    /// repeat; instead of our own protocol at a client or peer [default: none]
    #[arg(long, value_name = "NAME[=ADDR:PORT][,max=N]", env = "SAYAGAIN_DIALECT")]
    pub(super) dialect: Option<Vec<String>>,

    /// Server: who gets a line of uwo: auto, broadcast or follow [default: auto]
    #[arg(long, value_name = "WHO", hide_possible_values = true, env = "SAYAGAIN_DELIVERY")]
    pub(super) delivery: Option<DeliveryName>,

    /// Server: how lums names who sent what it forwards: auto, bare or counted [default: auto]
    #[arg(long, value_name = "FORM", hide_possible_values = true, env = "SAYAGAIN_LUMS_FORWARD")]
    pub(super) lums_forward: Option<ForwardName>,

    /// Server: uwo gets ? for what is not ASCII, for programs that read a byte at a time
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, value_parser = BoolishValueParser::new(), env = "SAYAGAIN_ASCII_SAFE")]
    pub(super) ascii_safe: Option<bool>,

    /// Server with --dialect vsb: where a browser shows its users and messages, or off [default: off]
    #[arg(long, value_name = "ADDR:PORT|off", env = "SAYAGAIN_WEB")]
    pub(super) web: Option<String>,

    /// Client: redial also after the server shut down in order [default: only after a lost link]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, value_parser = BoolishValueParser::new(), env = "SAYAGAIN_RECONNECT")]
    pub(super) reconnect: Option<bool>,

    /// Plaintext links, on a network you trust; both ends must say it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, value_parser = BoolishValueParser::new(), env = "SAYAGAIN_INSECURE")]
    pub(super) insecure: Option<bool>,

    /// A bad link to try it on: what this node sends over udp is lost, late and doubled as in a profile of
    /// netem/profiles, by name or file [default: none]
    #[arg(long, value_name = "PROFILE[,seed=N]", env = "SAYAGAIN_IMPAIR")]
    pub(super) impair: Option<String>,

    /// Client, peer: how long the end of input waits for delivery [default: 60]
    #[arg(long, value_name = "SECONDS", env = "SAYAGAIN_LINGER")]
    pub(super) linger: Option<u64>,

    /// One JSON object a line on stdout
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, value_parser = BoolishValueParser::new(), env = "SAYAGAIN_JSON")]
    pub(super) json: Option<bool>,

    /// Client, peer: line mode, which is all there is for now
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, value_parser = BoolishValueParser::new(), env = "SAYAGAIN_PLAIN")]
    pub(super) plain: Option<bool>,

    /// Colors: auto, always or never; auto honours NO_COLOR [default: auto]
    #[arg(long, value_name = "WHEN", hide_possible_values = true, env = "SAYAGAIN_COLOR")]
    pub(super) color: Option<When>,

    /// Identity and history of this node; one process at a time [default: a directory for each role
    /// and name in $XDG_DATA_HOME/sayagain]
    #[arg(long, value_name = "DIR", env = "SAYAGAIN_DATA_DIR")]
    pub(super) data_dir: Option<PathBuf>,
}

/// A role, as it is typed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RoleName {
    /// Everybody's server
    Server,
    /// Somebody at a server
    Client,
    /// One of a mesh without a server
    Peer,
}

/// Who gets a line of uwo, as it is typed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DeliveryName {
    /// What each chose
    Auto,
    /// Everybody
    Broadcast,
    /// Who follows it
    Follow,
}

/// How lums names senders, as it is typed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ForwardName {
    /// As each edition does
    Auto,
    /// Without a count
    Bare,
    /// With a count
    Counted,
}

/// When to use colors.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum When {
    /// On a terminal
    Auto,
    /// Also in a file
    Always,
    /// Nowhere
    Never,
}

impl RoleName {
    /// As it is typed.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Peer => "peer",
        }
    }
}

use RoleName::{Client, Peer, Server};

/// The options that some roles do not have.
pub(super) const OF_ROLES: &[(&str, &[RoleName])] = &[
    // At a client only with a dialect; see `resolve.rs`.
    ("listen", &[Server, Client, Peer]),
    ("delivery", &[Server]),
    ("lums-forward", &[Server]),
    ("ascii-safe", &[Server]),
    ("server", &[Client]),
    ("peers", &[Peer]),
    ("name", &[Client, Peer]),
    ("room", &[Client, Peer]),
    ("accept-files", &[Client, Peer]),
    ("max-file-bytes", &[Client, Peer]),
    ("downloads", &[Client, Peer]),
    ("max-clients", &[Server, Peer]),
    ("max-message-bytes", &[Server, Peer]),
    ("max-rooms", &[Server, Peer]),
    ("web", &[Server, Peer]),
    ("reconnect", &[Client]),
    ("linger", &[Client, Peer]),
    ("plain", &[Client, Peer]),
];

impl Options {
    /// These, and where one is missing that of `other`.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            role: self.role.or(other.role),
            transport: self.transport.or(other.transport),
            listen: self.listen.or(other.listen),
            server: self.server.or(other.server),
            peers: self.peers.or(other.peers),
            name: self.name.or(other.name),
            room: self.room.or(other.room),
            history: self.history.or(other.history),
            retain_records: self.retain_records.or(other.retain_records),
            retain_bytes: self.retain_bytes.or(other.retain_bytes),
            retain_days: self.retain_days.or(other.retain_days),
            accept_files: self.accept_files.or(other.accept_files),
            max_file_bytes: self.max_file_bytes.or(other.max_file_bytes),
            downloads: self.downloads.or(other.downloads),
            max_clients: self.max_clients.or(other.max_clients),
            max_message_bytes: self.max_message_bytes.or(other.max_message_bytes),
            max_rooms: self.max_rooms.or(other.max_rooms),
            dialect: self.dialect.or(other.dialect),
            delivery: self.delivery.or(other.delivery),
            lums_forward: self.lums_forward.or(other.lums_forward),
            ascii_safe: self.ascii_safe.or(other.ascii_safe),
            web: self.web.or(other.web),
            reconnect: self.reconnect.or(other.reconnect),
            insecure: self.insecure.or(other.insecure),
            impair: self.impair.or(other.impair),
            linger: self.linger.or(other.linger),
            json: self.json.or(other.json),
            plain: self.plain.or(other.plain),
            color: self.color.or(other.color),
            data_dir: self.data_dir.or(other.data_dir),
        }
    }

    /// The keys of the file, which are the names of the flags.
    pub(super) fn keys() -> Vec<String> {
        let command = Self::augment_args(Command::new("keys"));
        command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned).collect()
    }
}

/// The command line of the program under this name.
pub(super) fn command(called: &str) -> Command {
    Cli::command().bin_name(called).after_help(examples(called)).mut_args(|arg| arg.hide_env(true))
}

/// Reads the command line; also tells which of [`OF_ROLES`] stand on it rather than in a variable.
pub(super) fn parse(called: &str, arguments: Vec<OsString>) -> Result<(Cli, Vec<&'static str>), clap::Error> {
    let matches = command(called).try_get_matches_from(arguments)?;
    let is_typed =
        |flag: &str| matches!(matches.value_source(&flag.replace('-', "_")), Some(ValueSource::CommandLine));
    let typed = OF_ROLES.iter().map(|(flag, _)| *flag).filter(|flag| is_typed(flag)).collect();
    Ok((Cli::from_arg_matches(&matches)?, typed))
}

fn examples(called: &str) -> String {
    format!(
        "\
Examples:
  {called} --role server
  {called} --role client --name alice
  {called} --role client --server chat.example:4224 --name bob --room ops --room lobby
  {called} --role peer --listen 0.0.0.0:4224 --peers 10.0.0.5:4224,10.0.0.6:4224 --name carol
  echo \"backup done\" | {called} --role client --name cron --room ops && echo delivered
  {called} --role client --name log --json | jq -r 'select(.event==\"message\").text'

Each option is also a variable (--max-clients: SAYAGAIN_MAX_CLIENTS) and a key of the file
(max-clients = 50). A flag beats a variable, a variable beats the file."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_command_line_sound() {
        command("node").debug_assert();
    }

    #[test]
    fn has_every_option_a_help_and_a_variable() {
        let command = Options::augment_args(Command::new("options"));
        for arg in command.get_arguments() {
            let flag = arg.get_long().unwrap();
            assert!(arg.get_help().is_some(), "{flag}");
            let variable = format!("SAYAGAIN_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(arg.get_env().unwrap(), variable.as_str());
        }
    }

    #[test]
    fn are_the_options_of_roles_options() {
        let keys = Options::keys();
        assert!(OF_ROLES.iter().all(|(flag, _)| keys.iter().any(|key| key == flag)));
    }
}
