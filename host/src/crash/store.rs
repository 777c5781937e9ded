//! The folder of reports: two files for each, `ID.json` for programs and `ID.md` for people, bounded in number and bytes.
//! Where there are too many, the oldest of the provider that has the most goes: one that dies in a loop does not push out
//! what is known of others. Only its owner gets in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tempfile::NamedTempFile;
use thiserror::Error;

use super::page::page;
use super::report::CrashReport;

/// The folder within a state directory.
pub const FOLDER: &str = "crashes";
/// Reports that are kept.
pub const COUNT_MAX: usize = 100;
/// What they take together.
pub const TOTAL_BYTES_MAX: u64 = 8 << 20;
/// One file. What a report holds is bounded far below.
const FILE_BYTES_MAX: u64 = 2 << 20;

/// Why reports could not be read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The system refused.
    #[error("{act} {path}: {source}")]
    Io {
        /// What was attempted.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no such report.
    #[error("there is no crash report {id:?} in {folder}")]
    Unknown {
        /// Which one.
        id: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The file is no report of this version.
    #[error("{path} is no crash report that this version can read: {why}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The reports in one state directory.
#[derive(Debug)]
pub struct Reports {
    folder: PathBuf,
    /// One writes at a time: each counts what is there.
    writing: Mutex<()>,
}

/// Two files of one report.
struct Kept {
    id: String,
    bytes: u64,
}

impl Kept {
    /// Whose it is: what the name says between its time and the number of the start.
    fn provider(&self) -> &str {
        let from = self.id.split_once('-').map_or("", |(_, rest)| rest);
        from.rsplit_once('-').map_or("", |(provider, _)| provider)
    }
}

impl Reports {
    /// The reports of a state directory, which need not be there.
    pub fn of(state_dir: &Path) -> Self {
        Self { folder: state_dir.join(FOLDER), writing: Mutex::new(()) }
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a report, whole or not at all, and removes others while there are too many.
    pub fn write(&self, report: &CrashReport) -> Result<(), StoreError> {
        let _writing = self.writing.lock();
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed("making", &self.folder))?;
        let json = serde_json::to_string_pretty(report)
            .map_err(|error| StoreError::Malformed { path: self.path(&report.id, "json"), why: error.to_string() })?;
        self.write_file(&report.id, "md", page(report).as_bytes())?;
        // Last: a report is there when this file is.
        self.write_file(&report.id, "json", json.as_bytes())?;
        let kept = self.kept()?;
        excess(&kept, COUNT_MAX, TOTAL_BYTES_MAX).into_iter().try_for_each(|excess| self.remove(&excess.id))
    }

    /// The names of all reports, the oldest first. None where there is no folder.
    pub fn list(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.kept()?.into_iter().map(|kept| kept.id).collect())
    }

    /// Reads one.
    pub fn read(&self, id: &str) -> Result<CrashReport, StoreError> {
        let unknown = || StoreError::Unknown { id: id.to_owned(), folder: self.folder.clone() };
        if !is_id(id) {
            return Err(unknown());
        }
        let path = self.path(id, "json");
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(unknown()),
            opened => opened.map_err(failed("opening", &path))?,
        };
        let mut json = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut json).map_err(failed("reading", &path))?;
        serde_json::from_slice(&json).map_err(|error| StoreError::Malformed { path, why: error.to_string() })
    }

    fn path(&self, id: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{id}.{extension}"))
    }

    fn write_file(&self, id: &str, extension: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(id, extension);
        let failed = failed("writing", &path);
        // It is made for its owner alone.
        let mut file = NamedTempFile::new_in(&self.folder).map_err(&failed)?;
        file.write_all(bytes).map_err(&failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    fn kept(&self) -> Result<Vec<Kept>, StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(failed("reading", &self.folder))?,
        };
        let mut kept = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed("reading", &self.folder))?.path();
            let id = path.file_stem().and_then(|stem| stem.to_str()).filter(|id| is_id(id));
            if let (Some(id), Some("json")) = (id, path.extension().and_then(|extension| extension.to_str())) {
                let size = |extension| fs::metadata(self.path(id, extension)).map_or(0, |file| file.len());
                kept.push(Kept { id: id.to_owned(), bytes: size("json") + size("md") });
            }
        }
        kept.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(kept)
    }

    fn remove(&self, id: &str) -> Result<(), StoreError> {
        ["json", "md"].into_iter().try_for_each(|extension| {
            let path = self.path(id, extension);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("removing", &path)(error)),
                _ => Ok(()),
            }
        })
    }
}

/// Which of them are too many. They come the oldest first.
fn excess(kept: &[Kept], count_max: usize, bytes_max: u64) -> Vec<&Kept> {
    let mut of_each: BTreeMap<&str, VecDeque<&Kept>> = BTreeMap::new();
    for kept in kept {
        of_each.entry(kept.provider()).or_default().push_back(kept);
    }
    let (mut count, mut bytes) = (kept.len(), sum(kept));
    let mut excess = Vec::new();
    while count > count_max || bytes > bytes_max {
        let takes = |kept: &VecDeque<&Kept>| match count > count_max {
            true => kept.len() as u64,
            false => sum(kept.iter().copied()),
        };
        let most = of_each.values_mut().max_by_key(|kept| (takes(kept), kept.front().map(|kept| Reverse(&kept.id))));
        let Some(oldest) = most.and_then(VecDeque::pop_front) else { break };
        count -= 1;
        bytes -= oldest.bytes;
        excess.push(oldest);
    }
    excess
}

fn sum<'a>(kept: impl IntoIterator<Item = &'a Kept>) -> u64 {
    kept.into_iter().map(|kept| kept.bytes).sum()
}

/// Names are ours: no other file of the folder is read, and no path leads out of it.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 80 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn failed<'a>(act: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { act, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::crash::report::{Line, Output};

    fn report(id: &str, bytes: usize) -> CrashReport {
        let line = Line { stream: "stderr".to_owned(), text: "x".repeat(bytes) };
        let output = Output { lines: vec![line], earlier: 0 };
        CrashReport { id: id.to_owned(), output, ..CrashReport::default() }
    }

    #[test]
    fn what_was_written_is_listed_and_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let reports = Reports::of(folder.path());
        assert!(reports.list().unwrap().is_empty(), "no folder, no report");
        for id in ["b-2", "a-1"] {
            reports.write(&report(id, 10)).unwrap();
        }
        assert_eq!(reports.list().unwrap(), ["a-1", "b-2"]);
        assert_eq!(reports.read("a-1").unwrap(), report("a-1", 10));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(reports.folder()), 0o700);
        for file in fs::read_dir(reports.folder()).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
        for stranger in ["../host", "", "c-3", "a.1"] {
            assert!(matches!(reports.read(stranger), Err(StoreError::Unknown { .. })), "{stranger:?}");
        }
        fs::write(reports.folder().join("c-3.json"), "{").unwrap();
        assert!(matches!(reports.read("c-3"), Err(StoreError::Malformed { .. })));
    }

    #[test]
    fn the_oldest_go_by_number_and_by_size() {
        let folder = tempfile::tempdir().unwrap();
        let reports = Reports::of(folder.path());
        for number in 0..COUNT_MAX + 7 {
            reports.write(&report(&format!("{number:06}"), 10)).unwrap();
        }
        let left = reports.list().unwrap();
        assert_eq!((left.len(), &*left[0]), (COUNT_MAX, "000007"));
        assert_eq!(fs::read_dir(reports.folder()).unwrap().count(), 2 * COUNT_MAX, "nothing else is left");
        for number in 0..20 {
            reports.write(&report(&format!("1{number:05}"), 400 << 10)).unwrap();
        }
        let bytes: u64 = reports.kept().unwrap().iter().map(|kept| kept.bytes).sum();
        assert!(bytes <= TOTAL_BYTES_MAX, "{bytes}");
        assert_eq!(reports.list().unwrap().last().map(String::as_str), Some("100019"));
    }

    #[test]
    fn whoever_has_the_most_goes_first() {
        let kept = |id: &str, bytes| Kept { id: id.to_owned(), bytes };
        let all = [
            kept("1-VA-1", 10),
            kept("2-VB-1", 50),
            kept("3-VA-2", 10),
            kept("4-VA-3", 10),
            kept("5-VC-D-1", 20),
            kept("6", 10),
        ];
        // How many may stay, of how many bytes; who goes.
        let cases: [(usize, u64, &[&str]); 6] = [
            (6, 110, &[]),
            (5, 110, &["1-VA-1"]),
            (3, 110, &["1-VA-1", "3-VA-2", "2-VB-1"]),
            (6, 109, &["2-VB-1"]),
            (6, 59, &["2-VB-1", "1-VA-1"]),
            (0, 0, &["1-VA-1", "3-VA-2", "2-VB-1", "4-VA-3", "5-VC-D-1", "6"]),
        ];
        for (count_max, bytes_max, expected) in cases {
            let gone: Vec<&str> = excess(&all, count_max, bytes_max).iter().map(|kept| &*kept.id).collect();
            assert_eq!(gone, expected, "{count_max} of {bytes_max}");
        }
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FOLDER), "in the way").unwrap();
        assert!(matches!(Reports::of(folder.path()).write(&report("a", 1)), Err(StoreError::Io { .. })));
    }
}
