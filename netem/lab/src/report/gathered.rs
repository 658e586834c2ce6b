//! The cells of a run, those of the same link, workload and column together.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{cell::Cell, columns, link::Link, plan::Workload};

/// One link, workload and column: its passes.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) cells: Vec<Cell>,
}

#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) links: BTreeMap<String, Link>,
    groups: BTreeMap<(String, Workload, String), Group>,
}

impl Gathered {
    /// Every cell in the directories of `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let mut gathered = Self::default();
        for link in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
            let link = link?.path();
            if !link.is_dir() {
                continue;
            }
            for file in fs::read_dir(&link)? {
                let file = file?.path();
                if file.extension().is_some_and(|extension| extension == "json") {
                    let text = fs::read(&file)?;
                    gathered.add(serde_json::from_slice(&text).with_context(|| file.display().to_string())?);
                }
            }
        }
        Ok(gathered)
    }

    pub(super) fn add(&mut self, cell: Cell) {
        self.links.insert(cell.link.name.clone(), cell.link.clone());
        let key = (cell.link.name.clone(), cell.plan.workload, cell.plan.column.clone());
        self.groups.entry(key).or_default().cells.push(cell);
    }

    pub(super) fn group(&self, link: &str, workload: Workload, column: &str) -> Option<&Group> {
        self.groups.get(&(link.to_owned(), workload, column.to_owned()))
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (&str, Workload, &str, &Group)> {
        self.groups
            .iter()
            .map(|((link, workload, column), group)| (link.as_str(), *workload, column.as_str(), group))
    }

    /// The columns of a workload, in the order of the list.
    pub(super) fn columns(&self, workload: Workload) -> Vec<&'static str> {
        let ran = |name: &&str| self.links.keys().any(|link| self.group(link, workload, name).is_some());
        columns::names().filter(ran).collect()
    }

    /// The links of a workload.
    pub(super) fn links(&self, workload: Workload) -> impl Iterator<Item = &Link> {
        let ran =
            move |link: &&Link| self.groups().any(|(name, ran, ..)| name == link.name && ran == workload);
        self.links.values().filter(ran)
    }

    /// What somebody else carried, without this project and without bare datagrams.
    pub(super) fn peers(&self, link: &str, workload: Workload) -> impl Iterator<Item = (&str, &Group)> {
        self.groups().filter_map(move |(name, ran, column, group)| {
            (name == link && ran == workload && columns::is_peer(column)).then_some((column, group))
        })
    }
}
