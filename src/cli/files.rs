//! What is done with files that others offer: whose are taken, how long they may be, where they go.

use std::collections::BTreeSet;

use crate::{
    app::{Acceptance, FileRules, MAX_FILE_BYTES, typed::bad_nick},
    wire::Nick,
};

use super::{
    Files,
    args::Options,
    resolve::in_range,
    stop::{Status, Stop},
};

/// What the options come to.
pub(super) fn of(options: &Options) -> Result<Files, Stop> {
    let most = u64::MAX >> 1;
    let rules = FileRules {
        accept: acceptance(options.accept_files.as_deref().unwrap_or("ask"))?,
        max_bytes: in_range("--max-file-bytes", options.max_file_bytes, 1, most, MAX_FILE_BYTES)?,
    };
    Ok(Files { rules, downloads: options.downloads.clone() })
}

fn acceptance(typed: &str) -> Result<Acceptance, Stop> {
    let names: Vec<&str> = typed.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    match names.as_slice() {
        [] => Err(Stop::usage("--accept-files is empty", "ask, all or names: --accept-files alice,bob")),
        ["ask"] => Ok(Acceptance::Ask),
        ["all"] => Ok(Acceptance::All),
        names => {
            let nick = |name: &&str| name.parse::<Nick>();
            let people: Result<BTreeSet<Nick>, _> = names.iter().map(nick).collect();
            people.map(Acceptance::From).map_err(|bad| Stop::Trouble(Status::Usage, bad_nick(&bad)))
        }
    }
}

/// What a person should know whose node takes files without asking.
pub(super) fn warning(files: &Files) -> Option<String> {
    let whose = match &files.rules.accept {
        Acceptance::Ask => return None,
        Acceptance::All => "everybody".to_owned(),
        Acceptance::From(people) => people.iter().map(Nick::as_str).collect::<Vec<_>>().join(", "),
    };
    Some(format!("files of {whose} are taken without asking"))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn with(accept: &str) -> Options {
        Options { accept_files: Some(accept.to_owned()), ..Options::default() }
    }

    #[test]
    fn what_is_done_with_files_unless_told() {
        let files = of(&Options::default()).unwrap();
        assert_eq!(files, Files { rules: FileRules::default(), downloads: None });
        assert_eq!(files.rules, FileRules { accept: Acceptance::Ask, max_bytes: 1 << 30 });
        assert_eq!(files.directory(Path::new("/data")), Path::new("/data/downloads"));
        assert_eq!(warning(&files), None);
    }

    #[test]
    fn whose_files_are_taken_without_asking() {
        let people = |names: &[&str]| {
            Acceptance::From(names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<Nick>>())
        };
        for (typed, accept, said) in [
            ("ask", Acceptance::Ask, None),
            ("all", Acceptance::All, Some("files of everybody are taken without asking")),
            ("alice", people(&["alice"]), Some("files of alice are taken without asking")),
            (
                " bob, alice,bob ",
                people(&["alice", "bob"]),
                Some("files of alice, bob are taken without asking"),
            ),
        ] {
            let files = of(&with(typed)).unwrap();
            assert_eq!(files.rules.accept, accept, "{typed}");
            assert_eq!(warning(&files).as_deref(), said);
        }
    }

    #[test]
    fn is_what_makes_no_sense_refused() {
        let trouble = |options: &Options| match of(options) {
            Err(Stop::Trouble(Status::Usage, trouble)) => trouble,
            other => panic!("{other:?}"),
        };
        assert_eq!(trouble(&with("")).message, "--accept-files is empty");
        assert_eq!(trouble(&with("al ice")).message, "\"al ice\" cannot be a name");
        assert_eq!(trouble(&with("all,alice")).message, "the name all is reserved");
        let none = Options { max_file_bytes: Some(0), ..Options::default() };
        assert_eq!(trouble(&none).message, "--max-file-bytes 0 is out of range");
    }

    #[test]
    fn where_do_files_go() {
        let options = Options { downloads: Some("/elsewhere".into()), ..Options::default() };
        let files = of(&options).unwrap();
        assert_eq!(files.directory(Path::new("/data")), PathBuf::from("/elsewhere"));
    }
}
