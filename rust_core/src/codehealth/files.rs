//! Reads a file that is to be audited, and nothing else: no pipe that never ends, no link out of the tree.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

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
        // Without O_NONBLOCK the open itself waits for a pipe's other end.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(match self {
            Self::Anywhere => rustix::fs::openat(CWD, path, flags, Mode::empty())?,
            Self::Beneath(folder) => {
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
                openat2(folder, path, flags, Mode::empty(), resolve)?
            }
        });
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        if metadata.len() > MAX_READ_BYTES {
            let message = format!("larger than {} MiB, not read", MAX_READ_BYTES >> 20);
            return Err(Error::new(ErrorKind::FileTooLarge, message));
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
        file.take(MAX_READ_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
