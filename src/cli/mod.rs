//! The command line: flags, variables and a file become settings, a node's end becomes a status.

mod address;
mod args;
mod carriers;
mod config;
mod course;
mod demo;
mod files;
mod impair;
mod keep;
mod log;
mod opening;
mod pipe;
mod resolve;
mod settings;
mod signals;
mod start;
mod stop;
mod usage;

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::ExitCode,
};

use anstream::{AutoStream, ColorChoice};
use clap::Command;
use etcetera::{BaseStrategy, base_strategy::Xdg};

use crate::ui::{Printed, Streams, is_terminal};

pub use address::Remote;
pub use course::{CourseSettings, DoorSettings};
pub use settings::{
    ClientSettings, Files, History, Keep, PeerSettings, Person, Role, ServerSettings, Settings,
};

use args::{Beside, Cli};
use resolve::Surroundings;
use stop::{Status, Stop};

/// The whole program.
pub fn main() -> ExitCode {
    keep_freed_memory();
    let arguments: Vec<OsString> = env::args_os().collect();
    let called = called_by(arguments.first());
    run(&called, arguments).unwrap_or_else(Stop::report).into()
}

/// glibc gives the end of its heap back to the kernel when 128 KiB of it are free, and takes it again with the next part
/// of a file: a page fault for each 4 KiB, which is a sixth of all work with files. To free a block that was mapped by
/// itself raises that to twice its length (mallopt(3), `M_MMAP_THRESHOLD`); other allocators think nothing of it.
fn keep_freed_memory() {
    const BLOCK: usize = 1 << 20;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK)));
}

fn run(called: &str, arguments: Vec<OsString>) -> Result<Status, Stop> {
    let command = args::command(called);
    let subcommands: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    usage::refuse_node_js(arguments.get(1), &subcommands)?;
    let parsed = args::parse(called, arguments.clone()).map_err(|error| {
        let is_asked_for = error.kind() == clap::error::ErrorKind::DisplayHelp;
        course::own_help(&arguments, is_asked_for).unwrap_or_else(|| usage::refused(called, &error))
    })?;
    let (Cli { options, config, own, verbose, quiet, beside }, typed) = parsed;
    if let Some(beside) = beside {
        return be_beside(called, command, beside);
    }
    log::start(verbose, quiet);
    let directories = Xdg::new().ok();
    let config_home = directories.as_ref().map(BaseStrategy::config_dir);
    let options = options.or(config::read(config, config_home.as_deref())?);
    let Some(role) = options.role else {
        let word = own.words.first().map(|word| usage::unknown_word(called, word, &subcommands));
        return Err(word.unwrap_or_else(|| usage::page(called)));
    };
    let around = surroundings(directories.as_ref());
    let settings = Settings::resolve(role, &options, &own, &typed, &around)?;
    if let Role::Course(course) = &settings.role {
        return course::play(course, quiet);
    }
    Ok(be(called, &settings, quiet))
}

/// What this program does most of the time.
fn be(called: &str, settings: &Settings, quiet: bool) -> Status {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    let mut streams = Streams::standard(quiet);
    for line in opening::lines(called, settings) {
        // Without stderr nobody misses it.
        drop(streams.write(&Printed::Talk(line)));
    }
    start::run(settings, quiet).report(settings.face, quiet)
}

fn called_by(first: Option<&OsString>) -> String {
    let name = first.and_then(|path| Path::new(path).file_stem());
    name.unwrap_or_else(|| OsStr::new("sayagain")).to_string_lossy().into_owned()
}

fn be_beside(called: &str, mut command: Command, beside: Beside) -> Result<Status, Stop> {
    let mut text = Vec::new();
    match beside {
        Beside::Pipe(end) => {
            log::start(0, false);
            return pipe::run(end);
        }
        Beside::History(task) => {
            log::start(0, false);
            return keep::look_after(&task);
        }
        Beside::Demo { impair, over_tcp } => {
            log::start(0, false);
            return demo::run(impair.as_deref(), over_tcp);
        }
        Beside::Completions { shell } => clap_complete::generate(shell, &mut command, called, &mut text),
        Beside::Man => {
            // Writing to memory cannot fail.
            drop(clap_mangen::Man::new(command).render(&mut text));
        }
    }
    Err(Stop::Answer(String::from_utf8_lossy(&text).trim_end().to_owned()))
}

fn surroundings(directories: Option<&Xdg>) -> Surroundings {
    let login = ["USER", "LOGNAME"].into_iter().find_map(|variable| env::var(variable).ok());
    Surroundings {
        login,
        data_home: directories.map(BaseStrategy::data_dir),
        is_terminal: is_terminal(),
        is_colorful: AutoStream::choice(&io::stdout()) != ColorChoice::Never,
    }
}
