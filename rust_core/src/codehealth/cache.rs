//! Audits kept on disk by content, so that a second audit costs what changed.
//!
//! A folder holds 256 packs; the first byte of a key tells which. A key is the blake3 hash of build, language and content, a pack is a
//! list of entries behind a hash of all of it, and it is only ever replaced as a whole (written aside, then renamed). So any
//! number of processes may share the folder without a lock: the worst that one does to another is to drop its newest entries,
//! which are computed again. A pack that does not match its hash is not read.

use std::collections::HashSet;
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, SystemTime};

use hashbrown::HashMap;

use super::FileAudit;

/// Differs for every state of the sources that an audit is made by, so that no older figure is ever taken for a new one.
pub const FINGERPRINT: &str = env!("CODEHEALTH_FINGERPRINT");

/// Beyond this the entries that were not used for longest are dropped: 128 MiB in all.
const MAX_PACK_BYTES: usize = 512 * 1024;
const MAX_ENTRY_BYTES: usize = MAX_PACK_BYTES / 4;
const PACKS: usize = 256;
const MAGIC: &[u8; 8] = b"pyaudit1";
const HASH_BYTES: usize = 32;
/// What older builds and writers that died have left behind is removed when it is older than this.
const LEFTOVERS_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

pub type Key = [u8; HASH_BYTES];

/// Equal keys mean equal audits: it is made of the content, its language and the build that measures it.
pub fn key_of(bytes: &[u8], language: Option<&str>) -> Key {
    let mut hasher = blake3::Hasher::new();
    for part in [FINGERPRINT, language.unwrap_or("")] {
        hasher.update(part.as_bytes()).update(b"\0");
    }
    *hasher.update(bytes).finalize().as_bytes()
}

/// One folder of packs, opened for a run of audits.
pub struct Cache {
    folder: PathBuf,
    packs: Vec<OnceLock<Pack>>,
    hits: AtomicUsize,
}

/// What one file of entries held when it was read, and what this run adds.
#[derive(Default)]
struct Pack {
    bytes: Vec<u8>,
    /// Where each entry's value stands, in `bytes`.
    entries: HashMap<Key, std::ops::Range<usize>>,
    news: Mutex<News>,
}

#[derive(Default)]
struct News {
    used: HashSet<Key>,
    added: HashMap<Key, Vec<u8>>,
}

impl Cache {
    /// Open the folder, which is made when it is absent.
    pub fn open(folder: &Path) -> Result<Self> {
        let folder = folder.join(FINGERPRINT);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder, packs: (0..PACKS).map(|_| OnceLock::new()).collect(), hits: AtomicUsize::new(0) })
    }

    /// How many audits came from the cache.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::Relaxed)
    }

    pub fn get(&self, key: &Key) -> Option<FileAudit> {
        let pack = self.pack(key);
        let audit = postcard::from_bytes(&pack.bytes[pack.entries.get(key)?.clone()]).ok()?;
        pack.news().used.insert(*key);
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(audit)
    }

    pub fn put(&self, key: Key, audit: &FileAudit) {
        if let Ok(value) = postcard::to_stdvec(audit)
            && value.len() <= MAX_ENTRY_BYTES
        {
            self.pack(&key).news().added.insert(key, value);
        }
    }

    /// Write what this run added. A cache that cannot be written is only slower, so the caller may ignore it.
    pub fn save(&self) -> Result<()> {
        let mut is_first = true;
        for (number, pack) in self.packs.iter().enumerate() {
            let Some(pack) = pack.get().filter(|pack| !pack.news().added.is_empty()) else { continue };
            if std::mem::take(&mut is_first) {
                remove_leftovers(&self.folder);
            }
            replace(&self.pack_path(number), &pack.news().render(&self.read_again(number)))?;
        }
        Ok(())
    }

    fn pack(&self, key: &Key) -> &Pack {
        let number = usize::from(key[0]);
        self.packs[number].get_or_init(|| self.read_again(number))
    }

    fn read_again(&self, number: usize) -> Pack {
        read_pack(&self.pack_path(number)).unwrap_or_default()
    }

    fn pack_path(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{number:02x}.pack"))
    }
}

impl Pack {
    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl News {
    /// The whole pack anew: entries used or added in this run stand first, and what no longer fits is dropped.
    fn render(&self, old: &Pack) -> Vec<u8> {
        let kept = |key: &&Key| !self.added.contains_key(*key);
        let (mut used, mut unused): (Vec<&Key>, Vec<&Key>) =
            old.entries.keys().filter(kept).partition(|key| self.used.contains(*key));
        let by_place = |key: &&Key| old.entries[*key].start;
        used.sort_by_key(by_place);
        unused.sort_by_key(by_place);
        let mut body = Vec::with_capacity(old.bytes.len() + 4096);
        let added = self.added.iter().map(|(key, value)| (key, value.as_slice()));
        let old_ones = used.into_iter().chain(unused).map(|key| (key, &old.bytes[old.entries[key].clone()]));
        for (key, value) in added.chain(old_ones) {
            if body.len() + HASH_BYTES + 4 + value.len() <= MAX_PACK_BYTES {
                body.extend_from_slice(key);
                body.extend_from_slice(&(value.len() as u32).to_le_bytes());
                body.extend_from_slice(value);
            }
        }
        let mut pack = MAGIC.to_vec();
        pack.extend_from_slice(blake3::hash(&body).as_bytes());
        pack.extend_from_slice(&body);
        pack
    }
}

fn read_pack(path: &Path) -> Result<Pack> {
    let file = fs::OpenOptions::new().read(true).custom_flags(NO_FOLLOW_NO_WAIT).open(path)?;
    let refused = || Error::new(ErrorKind::InvalidData, "not a pack");
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(refused());
    }
    let limit = (MAGIC.len() + HASH_BYTES + MAX_PACK_BYTES) as u64;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, limit + 1), &mut bytes)?;
    let body = MAGIC.len() + HASH_BYTES;
    let is_sound = bytes.len() >= body
        && bytes.len() as u64 <= limit
        && bytes.starts_with(MAGIC)
        && bytes[MAGIC.len()..body] == *blake3::hash(&bytes[body..]).as_bytes();
    let entries = if is_sound { entries_of(&bytes, body) } else { None };
    let entries = entries.ok_or_else(refused)?;
    Ok(Pack { bytes, entries, news: Mutex::default() })
}

fn entries_of(bytes: &[u8], mut at: usize) -> Option<HashMap<Key, std::ops::Range<usize>>> {
    let mut entries = HashMap::new();
    while at < bytes.len() {
        let key: Key = bytes.get(at..at + HASH_BYTES)?.try_into().ok()?;
        let start = at + HASH_BYTES + 4;
        let length = u32::from_le_bytes(bytes.get(at + HASH_BYTES..start)?.try_into().ok()?) as usize;
        bytes.get(start..start + length)?;
        entries.insert(key, start..start + length);
        at = start + length;
    }
    Some(entries)
}

const NO_FOLLOW_NO_WAIT: i32 =
    (rustix::fs::OFlags::NOFOLLOW.bits() | rustix::fs::OFlags::NONBLOCK.bits()) as i32;

fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut file| std::io::Write::write_all(&mut file, bytes))
        .and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

/// Remove folders of older builds and files that a writer left when it died, once they are old.
fn remove_leftovers(folder: &Path) {
    let is_old = |entry: &fs::DirEntry| {
        let age = entry.metadata().and_then(|metadata| metadata.modified());
        age.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > LEFTOVERS_AFTER))
    };
    let is_temporary = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|end| end == "tmp");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_temporary(&entry) && is_old(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
    let is_build = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.len() == FINGERPRINT.len() && name.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit)
    };
    for entry in folder.parent().and_then(|parent| fs::read_dir(parent).ok()).into_iter().flatten().flatten()
    {
        if is_build(&entry) && entry.file_name() != FINGERPRINT && is_old(&entry) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
