//! `--impair PROFILE[,seed=N]`: a bad link to try the node or a pipe on, without root.

use std::{fs, path::Path};

use rand::{TryRng as _, rngs::SysRng};

use crate::{
    transport::impair::{Impairment, Profile},
    wire::Scheme,
};

use super::{args::Options, carriers, stop::Stop};

const FLAG: &str = "--impair";

/// What is done to the datagrams that the node sends.
pub(super) fn resolve(options: &Options) -> Result<Option<Impairment>, Stop> {
    over(options.transport.as_deref(), options.impair.as_deref())
}

/// What is done to the datagrams of these transports, as they were typed.
pub(super) fn over(transports: Option<&str>, impair: Option<&str>) -> Result<Option<Impairment>, Stop> {
    let Some(typed) = impair else { return Ok(None) };
    if transports.is_some_and(|names| names.split(',').any(|name| name.trim() == "tcp")) {
        return Err(Stop::usage(
            format!("{FLAG} means nothing to tcp: of a stream nothing can be dropped"),
            "leave tcp out, or run it on a bad link of the kernel's: netem/run.sh PROFILE -- COMMAND",
        ));
    }
    parse(typed).map(Some)
}

/// What may carry the node: only what can be impaired, where it is to be.
pub(super) fn carriers(options: &Options) -> Vec<Scheme> {
    let available = carriers::available().into_iter();
    available.filter(|scheme| options.impair.is_none() || *scheme == Scheme::Udp).collect()
}

/// A profile by name or file, and the seed.
pub(super) fn parse(typed: &str) -> Result<Impairment, Stop> {
    let (name, seed) = match typed.split_once(',') {
        None => (typed, None),
        Some((name, rest)) => {
            let number = rest.trim().strip_prefix("seed=").and_then(|seed| seed.parse().ok());
            let unknown = || {
                Stop::usage(
                    format!("{FLAG} {typed}: {rest:?} is no seed"),
                    "say it like this: --impair lossy10,seed=7",
                )
            };
            (name, Some(number.ok_or_else(unknown)?))
        }
    };
    let seed = seed.unwrap_or_else(|| SysRng.try_next_u64().unwrap_or_default());
    Ok(Impairment { profile: profile(name.trim())?, seed })
}

fn profile(name: &str) -> Result<Profile, Stop> {
    if let Some(profile) = Profile::named(name) {
        return Ok(profile);
    }
    if !Path::new(name).exists() {
        let names: Vec<&str> = Profile::names().collect();
        return Err(Stop::unavailable(FLAG, name, &names));
    }
    let bad = |why: String| {
        Stop::usage(format!("{FLAG} {name}: {why}"), "the files in netem/profiles show what it may hold")
    };
    let text = fs::read_to_string(name).map_err(|error| bad(error.to_string()))?;
    Profile::parse(&text).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(impair: &str, transport: Option<&str>) -> Options {
        let transport = transport.map(str::to_owned);
        Options { impair: Some(impair.to_owned()), transport, ..Options::default() }
    }

    #[test]
    fn is_a_profile_known_by_name_with_or_without_a_seed() {
        let impairment = resolve(&options("lossy30,seed=7", None)).unwrap().unwrap();
        assert_eq!((impairment.profile, impairment.seed), (Profile::named("lossy30").unwrap(), 7));
        assert!(resolve(&options("lossy30", Some("udp"))).unwrap().is_some());
        assert!(resolve(&Options::default()).unwrap().is_none());
        assert_eq!(carriers(&options("wifi", None)), [Scheme::Udp]);
        assert!(carriers(&Options::default()).contains(&Scheme::Tcp));
    }

    #[test]
    fn is_what_cannot_be_done_refused_with_a_way_out() {
        for (typed, transport) in [
            ("lossy30", Some("tcp")),
            ("lossy30", Some("udp,tcp")),
            ("no such", None),
            ("wifi,7", None),
            ("Cargo.toml", None),
        ] {
            let Err(Stop::Trouble(_, trouble)) = resolve(&options(typed, transport)) else {
                panic!("{typed} {transport:?}")
            };
            assert!(trouble.message.contains(FLAG) && !trouble.hint.is_empty(), "{trouble:?}");
        }
    }
}
