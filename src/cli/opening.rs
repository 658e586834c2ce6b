//! The talk at the start: what this node is, who can reach it, and the line for the next one.

use crate::transport::impair::Impairment;

use super::{ClientSettings, PeerSettings, Role, ServerSettings, Settings, files};

/// What to say on stderr before the node starts.
pub(super) fn lines(called: &str, settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    match &settings.role {
        Role::Server(server) => {
            let Some(listen) = server.listen else { return doors(version, server) };
            let reach = if listen.ip().is_loopback() {
                format!("open to this computer only; others: --listen 0.0.0.0:{}", listen.port())
            } else {
                "open to the network; Ctrl-C stops, everyone is told first".to_owned()
            };
            lines.push(format!("sayagain {version}  server  {reach}"));
            if listen.port() != 0 && listen.ip().is_loopback() {
                let insecure = if settings.insecure { " --insecure" } else { "" };
                lines.push(format!("join:  {called} --role client --server {listen} --name YOU{insecure}"));
            }
            lines.extend(open_doors(server));
        }
        Role::Peer(peer) if peer.peers.is_empty() => {
            lines.push(format!("sayagain {version}  peer  waits for others; they name it with --peers"));
        }
        Role::Client(_) | Role::Peer(_) | Role::Course(_) => {}
    }
    match &settings.role {
        Role::Client(ClientSettings { person, .. }) | Role::Peer(PeerSettings { person, .. }) => {
            lines.extend(files::warning(&person.files));
        }
        Role::Server(_) | Role::Course(_) => {}
    }
    if settings.insecure {
        lines.push("plaintext: anybody on the way can read and change what is said (--insecure)".to_owned());
    }
    if let Some(impairment) = &settings.impairment {
        lines.push(impaired(impairment));
    }
    lines
}

/// A server that is nothing but the server of its course systems says as little as theirs.
fn doors(version: &str, server: &ServerSettings) -> Vec<String> {
    let names: Vec<&str> = server.doors.iter().map(|door| door.dialect.name).collect();
    let first = format!("sayagain {version}  server of {}", names.join(", "));
    [first].into_iter().chain(open_doors(server)).collect()
}

/// What everybody should know whose door leads to the network.
fn open_doors(server: &ServerSettings) -> Option<String> {
    let open = server.doors.iter().filter(|door| !door.listen.ip().is_loopback());
    let names: Vec<&str> = open.map(|door| door.dialect.name).collect();
    let told = "open to the network in plaintext, without proof of who is who:";
    (!names.is_empty()).then(|| format!("{told} {}", names.join(", ")))
}

/// What was asked for, and what to add to see it again.
pub(super) fn impaired(Impairment { seed, .. }: &Impairment) -> String {
    format!("a bad link on purpose: what is sent over udp gets lost and late (--impair, with seed={seed})")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            args::{Options, OwnArguments, RoleName},
            resolve::Surroundings,
        },
        *,
    };

    fn said(role: RoleName, options: &Options) -> String {
        let around = Surroundings { data_home: Some("/data".into()), ..Surroundings::default() };
        lines("node", &Settings::resolve(role, options, &OwnArguments::default(), &[], &around).unwrap())
            .join("\n")
    }

    #[test]
    fn does_a_server_say_who_can_reach_it() {
        let said = said(RoleName::Server, &Options::default());
        assert!(said.contains("open to this computer only; others: --listen 0.0.0.0:4224"), "{said}");
        assert!(said.contains("join:  node --role client --server 127.0.0.1:4224 --name YOU"), "{said}");
    }

    #[test]
    fn is_a_bad_link_on_purpose_said_at_start_with_its_seed() {
        let impair = Options { impair: Some("wifi,seed=77".to_owned()), ..Options::default() };
        for role in [RoleName::Server, RoleName::Client, RoleName::Peer] {
            assert!(said(role, &impair).contains("--impair, with seed=77"), "{role:?}");
        }
    }

    #[test]
    fn is_it_said_at_start_that_files_are_taken_without_asking() {
        let of_alice = Options { accept_files: Some("alice".to_owned()), ..Options::default() };
        for role in [RoleName::Client, RoleName::Peer] {
            assert!(said(role, &of_alice).contains("files of alice are taken without asking"), "{role:?}");
        }
        assert!(!said(RoleName::Server, &of_alice).contains("files of alice"));
    }

    #[test]
    fn is_plaintext_said_at_start() {
        let insecure = Options { insecure: Some(true), ..Options::default() };
        for role in [RoleName::Server, RoleName::Client, RoleName::Peer] {
            assert!(said(role, &insecure).contains("plaintext"), "{role:?}");
        }
        assert_eq!(said(RoleName::Client, &Options::default()), "");
    }
}
