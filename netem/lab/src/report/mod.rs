//! From the cells of a run to a table, a picture and one file for machines.

mod fairness;
mod figures;
mod gathered;
mod json;
mod plot;
mod tables;
mod verdict;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::{fairness::Contests, gathered::Gathered};

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// Where the cells are
    dir: PathBuf,
    /// Tables for people
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// The picture
    #[arg(long)]
    svg: Option<PathBuf>,
    /// All figures
    #[arg(long)]
    json: Option<PathBuf>,
    /// Whose latencies the picture shows, of the links that were measured
    #[arg(long, value_delimiter = ',', default_value = "L2,L3,L5,L6")]
    plotted: Vec<String>,
}

impl Report {
    pub(crate) fn run(&self) -> Result<()> {
        let gathered = Gathered::read(&self.dir)?;
        let contests = Contests::read(&self.dir)?;
        ensure!(!gathered.links.is_empty() || !contests.is_empty(), "no figures in {}", self.dir.display());
        let write = |file: &Option<PathBuf>, text: String| match file {
            Some(file) => fs::write(file, text).with_context(|| file.display().to_string()),
            None => Ok(()),
        };
        let tables = tables::all(&gathered, &contests);
        if self.markdown.is_none() {
            println!("{tables}");
        }
        write(&self.markdown, tables)?;
        write(&self.json, json::all(&gathered, &contests)?)?;
        if self.svg.is_some() && !gathered.links.is_empty() {
            write(&self.svg, plot::draw(&gathered, &self.plotted)?)?;
        }
        Ok(())
    }
}
