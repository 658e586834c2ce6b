//! What is said when the program is called in a way it does not understand.

use std::{ffi::OsString, path::Path};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::app::{Trouble, suggest::nearest};

use super::stop::{Status, Stop};

/// What only Node.js takes.
const NODE_JS_FLAGS: [&str; 8] =
    ["-e", "--eval", "-p", "--print", "-r", "--require", "--inspect", "--inspect-brk"];

/// Somebody wanted Node.js: we take no file, so that is always recognisable.
pub(super) fn refuse_node_js(first: Option<&OsString>, subcommands: &[&str]) -> Result<(), Stop> {
    let Some(first) = first.map(|first| first.to_string_lossy()) else { return Ok(()) };
    let flag = first.split('=').next().unwrap_or_default();
    let is_file = || !subcommands.contains(&flag) && Path::new(first.as_ref()).is_file();
    if !NODE_JS_FLAGS.contains(&flag) && !is_file() {
        return Ok(());
    }
    let message = format!("{first:?}: this node is sayagain, not Node.js");
    let hint = "put Node.js first on PATH, or remove this node and keep the name sayagain";
    Err(Stop::Trouble(Status::Usage, Trouble::new("not_nodejs", message, hint)))
}

/// What to type when no role was.
pub(super) fn page(called: &str) -> Stop {
    Stop::Page(format!(
        "\
sayagain: chat with or without a server, over links that lose, reorder and stall

  {called} --role server
  {called} --role client --name alice
  {called} --role peer --name bob --peers 192.168.1.20:4224

{called} --help lists everything. This node is sayagain, not Node.js."
    ))
}

/// A word that is neither a command nor, without `--dialect`, an argument.
pub(super) fn unknown_word(called: &str, word: &str, subcommands: &[&str]) -> Stop {
    let meant = nearest(word, subcommands.iter().copied());
    let hint = meant.map_or_else(|| format!("{called} --help lists all"), |it| format!("did you mean {it}?"));
    Stop::usage(format!("unknown command {word:?}"), hint)
}

/// What clap has to say, in our words.
pub(super) fn refused(called: &str, error: &clap::Error) -> Stop {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return Stop::Answer(error.render().to_string().trim_end().to_owned());
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = text(error, ContextKind::InvalidArg).unwrap_or_default();
            return Stop::usage(format!("not given: {missing}"), hint(called, error));
        }
        ErrorKind::MissingSubcommand => {
            let of = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            let of = of.split_whitespace().last().unwrap_or_default();
            return Stop::usage(format!("{of} needs a command"), hint(called, error));
        }
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {}
        _ => return Stop::usage(first_line(error), hint(called, error)),
    }
    let unknown =
        text(error, ContextKind::InvalidArg).or_else(|| text(error, ContextKind::InvalidSubcommand));
    let message = match unknown {
        Some(unknown) if unknown.starts_with('-') => format!("unknown option {unknown:?}"),
        Some(unknown) => format!("unknown command {unknown:?}"),
        None => first_line(error),
    };
    Stop::usage(message, hint(called, error))
}

fn first_line(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let line = rendered.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn hint(called: &str, error: &clap::Error) -> String {
    let suggested =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let valid = [ContextKind::ValidValue, ContextKind::ValidSubcommand];
    let values =
        || valid.into_iter().find_map(|kind| text(error, kind)).map(|all| format!("there are {all}"));
    suggested
        .into_iter()
        .find_map(|kind| text(error, kind))
        .map(|meant| format!("did you mean {meant}?"))
        .or_else(values)
        .unwrap_or_else(|| format!("{called} --help lists all"))
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) if !texts.is_empty() => Some(texts.join(", ")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::args, *};

    fn trouble_of(arguments: &[&str]) -> Trouble {
        let arguments = ["node"].iter().chain(arguments).map(Into::into).collect();
        match refused("node", &args::parse("node", arguments).unwrap_err()) {
            Stop::Trouble(Status::Usage, trouble) => trouble,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn is_a_slip_of_the_fingers_understood() {
        let trouble = trouble_of(&["--trasnport", "tcp"]);
        assert_eq!(trouble.message, "unknown option \"--trasnport\"");
        assert_eq!(trouble.hint, "did you mean --transport?");
        let Stop::Trouble(_, trouble) = unknown_word("node", "completion", &["demo", "completions"]) else {
            panic!("it is no answer")
        };
        assert_eq!(trouble.hint, "did you mean completions?");
        assert_eq!(trouble_of(&["--role", "pear"]).hint, "did you mean peer?");
        assert_eq!(trouble_of(&["--role", "xyz"]).hint, "there are server, client, peer");
        assert_eq!(trouble_of(&["--zzz"]).hint, "node --help lists all");
        assert!(trouble_of(&["--max-clients", "many"]).message.starts_with("invalid value 'many'"));
    }

    #[test]
    fn who_wanted_node_js() {
        let refused = |first: &str| refuse_node_js(Some(&first.into()), &["man"]).is_err();
        for wanted in ["-e", "-p", "--eval", "--eval=1", "--inspect=9229", "--require", "Cargo.toml"] {
            assert!(refused(wanted), "{wanted}");
        }
        for ours in ["--role", "man", "no-such-file.js", "--version", "src"] {
            assert!(!refused(ours), "{ours}");
        }
        assert_eq!(refuse_node_js(None, &[]), Ok(()));
    }
}
