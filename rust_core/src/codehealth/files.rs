//! Reads a file that is to be audited, and nothing else: no pipe that never ends, no link out of the tree.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, statat};

/// A larger file is not even read.
pub const MAX_READ_BYTES: u64 = 64 * 1024 * 1024;

/// Where paths begin: any path of the machine, or only what lies beneath a folder, reached without symbolic links.
pub enum Root {
    Anywhere,
    Beneath(OwnedFd),
}

impl Root {
    /// Open a folder; paths are then relative to it and cannot leave it.
    pub fn beneath(folder: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::Beneath(rustix::fs::open(folder, flags, Mode::empty())?))
    }

    /// Return the bytes of a regular file. Fails on anything else, and on more than `MAX_READ_BYTES`.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.read_at_most(path, MAX_READ_BYTES)
    }

    /// Return the bytes of a regular file. Fails on anything else, and on more than `limit` bytes.
    pub fn read_at_most(&self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        // Without O_NONBLOCK the open itself waits for a pipe's other end.
        let file = File::from(self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        let too_large = || {
            let size =
                if limit >> 20 > 0 { format!("{} MiB", limit >> 20) } else { format!("{limit} bytes") };
            Error::new(ErrorKind::FileTooLarge, format!("larger than {size}, not read"))
        };
        if metadata.len() > limit {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
        file.take(limit + 1).read_to_end(&mut bytes)?;
        // It may have grown since.
        if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
    }

    /// Return the names in a folder with what they are, in a fixed order; the empty path is the root itself.
    pub fn list(&self, folder: &Path) -> Result<Vec<(OsString, FileType)>> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let descriptor = self.open(folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut found = Vec::new();
        for entry in Dir::read_from(&descriptor)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems do not say.
                FileType::Unknown => statat(&descriptor, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
                kind => kind,
            };
            found.push((OsStr::from_bytes(name.to_bytes()).to_os_string(), kind));
        }
        found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        Ok(found)
    }

    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        Ok(match self {
            Self::Anywhere => rustix::fs::openat(CWD, path, flags, Mode::empty())?,
            Self::Beneath(folder) => {
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
                openat2(folder, path, flags, Mode::empty(), resolve)?
            }
        })
    }
}
