//! The file of options: the flags as keys of TOML.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::app::{Trouble, suggest};

use super::{
    args::Options,
    stop::{Status, Stop},
};

/// What the file says; without one given, the one in the user's config directory, if it is there.
pub(super) fn read(given: Option<PathBuf>, config_home: Option<&Path>) -> Result<Options, Stop> {
    let is_given = given.is_some();
    let Some(path) = given.or_else(|| config_home.map(|home| home.join("sayagain").join("config.toml")))
    else {
        return Ok(Options::default());
    };
    match fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_given => Ok(Options::default()),
        Err(error) => {
            Err(refused(format!("cannot read {}: {error}", path.display()), "it is the --config file"))
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<Options, Stop> {
    toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let before = text.get(..span.start).unwrap_or_default();
        let place = format!("{}:{}", path.display(), before.matches('\n').count() + 1);
        match error.message().strip_prefix("unknown field ") {
            Some(_) => unknown_key(&place, text.get(span).unwrap_or_default()),
            None => refused(format!("{place}: {}", error.message()), "the keys are those of --help"),
        }
    })
}

fn unknown_key(place: &str, key: &str) -> Stop {
    let keys = Options::keys();
    let meant = suggest::nearest(key, keys.iter().map(String::as_str));
    let hint = match meant {
        Some(meant) => format!("did you mean {meant}?"),
        None => "the keys are those of --help".to_owned(),
    };
    refused(format!("{place}: unknown key {key:?}"), hint)
}

fn refused(message: String, hint: impl Into<String>) -> Stop {
    Stop::Trouble(Status::Usage, Trouble::new("config", message, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Options, Stop> {
        parse(Path::new("config.toml"), text)
    }

    fn trouble(text: &str) -> Trouble {
        match parsed(text) {
            Err(Stop::Trouble(Status::Usage, trouble)) => trouble,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn are_the_flags_its_keys() {
        let options = parsed("name = \"alice\"\nroom = [\"ops\"]\nmax-clients = 5\njson = true\n").unwrap();
        assert_eq!(options.name.as_deref(), Some("alice"));
        assert_eq!(options.room, Some(vec!["ops".to_owned()]));
        assert_eq!((options.max_clients, options.json), (Some(5), Some(true)));
    }

    #[test]
    fn where_is_the_mistake() {
        let unknown = trouble("name = \"alice\"\n\ntrasnport = \"tcp\"\n");
        assert_eq!(unknown.message, "config.toml:3: unknown key \"trasnport\"");
        assert_eq!(unknown.hint, "did you mean transport?");
        let wrong = trouble("name = \"alice\"\nmax-clients = \"many\"\n");
        assert!(wrong.message.starts_with("config.toml:2: invalid type"), "{}", wrong.message);
        assert!(trouble("name = \n").message.starts_with("config.toml:1: "));
    }

    #[test]
    fn must_there_be_a_file() {
        let nowhere = Path::new("/no/such/directory");
        assert_eq!(read(None, Some(nowhere)), Ok(Options::default()));
        assert_eq!(read(None, None), Ok(Options::default()));
        assert!(read(Some(nowhere.join("x")), None).is_err());
    }
}
