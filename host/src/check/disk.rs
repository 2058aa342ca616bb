//! Room on the disk of the private PostgreSQL.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::{report::Finding, words::size};

const MEBIBYTE: u64 = 1024 * 1024;
/// Below this the disk is nearly full: a burst of events, with PostgreSQL's log of them, takes hundreds of MiB.
const LITTLE: u64 = 2 * 1024 * MEBIBYTE;
/// Below this PostgreSQL may stop at any time: each file of its log has 16 MiB, and it writes several.
const NONE: u64 = 200 * MEBIBYTE;

/// The free bytes of the disk with this folder; `None` if that is not known.
pub fn free(folder: &Path) -> Option<u64> {
    let disk = statvfs(folder).ok()?;
    #[allow(clippy::useless_conversion, reason = "not the same types on all systems")]
    let (blocks, of) = (u64::from(disk.blocks_available()), u64::from(disk.fragment_size()));
    blocks.checked_mul(of)
}

/// Whether that is enough.
pub fn judge(folder: &Path, free: u64) -> Option<Finding> {
    let what = format!(
        "{} free on the disk of {}; PostgreSQL stops, and events are refused, if it is full",
        size(free),
        folder.display()
    );
    let finding = match free {
        ..NONE => Finding::critical("database.disk", what),
        NONE..LITTLE => Finding::warning("database.disk", what),
        LITTLE.. => return None,
    };
    Some(
        finding.advice(
            "free some space or enlarge the disk; a shorter --keep (HOOKSWITCH_KEEP) keeps less history",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Severity;

    #[test]
    fn a_disk_that_is_nearly_full_is_found() {
        let severity =
            |mebibytes: u64| judge(Path::new("/x"), mebibytes * MEBIBYTE).map(|finding| finding.severity);
        assert_eq!(severity(199), Some(Severity::Critical));
        assert_eq!(severity(200), Some(Severity::Warning));
        assert_eq!(severity(2_048), None);
        assert!(free(Path::new("/")).is_some());
        assert_eq!(free(Path::new("/no/such/folder")), None);
    }
}
