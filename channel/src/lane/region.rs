//! The memory of one direction: made and sealed by the host, mapped by both sides.
//!
//! **What the other side writes is never believed.** It may change at any moment, so each number is read once and checked,
//! and bytes are copied before anybody looks at them. The one exception is a shim, which believes its host: it reads an
//! argument where it lies, and writes the answer where the host reads it.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use cofferdam_protocol::limits::{ACTOR_BYTES_MAX, OPERATION_BYTES_MAX};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, munmap};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

use super::futex::{RealFence, SharedWord};
use super::layout::{
    ASKED, ASLEEP, CLASSES_MAX, Class, GONE, LANE_BYTES, Layout, MAGIC, MAILBOX_BYTES, MAILBOXES, MAILBOXES_MAX,
    PAGE_BYTES, Slab,
};
use super::word::Bell;

/// What both sides tell each other of one call, beside the word: where it is in a lane's 64 bytes.
#[derive(Clone, Copy)]
pub(super) enum Field {
    /// By the callee: on which processor it answered the last call of this lane, and one more.
    CalleeProcessor = 4,
    /// By whoever hands over: the bytes of argument, answer or words.
    Bytes = 8,
    /// By the caller: the bytes of the actor's name.
    ActorBytes = 12,
    /// By the callee: 0, or the number of a fault and one more.
    Outcome = 16,
    /// By the caller: the lane in whose slab the answer is to lie.
    AnswerLane = 20,
    /// By the caller: on which processor it asked, and one more.
    CallerProcessor = 32,
    /// By the caller: the mailbox that is told of the answer, and one more; 0 where it waits at the lane.
    Mailbox = 36,
    /// By the caller: the bytes of the operation's name.
    OperationBytes = 48,
}

/// Where in a lane the caller's number of the call is.
const CALL: usize = 24;
/// And when it stops waiting.
const DEADLINE: usize = 40;
const _: () =
    assert!(DEADLINE + 8 <= Field::OperationBytes as usize && Field::OperationBytes as usize + 4 <= LANE_BYTES);
/// What is compared at once.
const CHUNK_BYTES: usize = 64;

/// Mapped memory of one direction.
pub struct Region {
    base: NonNull<u8>,
    bytes: NonZeroUsize,
    /// None for who has only opened it: a file that its owner can write to is one that it could load code from.
    memory: Option<OwnedFd>,
    layout: Layout,
    slabs: Vec<Slab>,
    /// By mailbox: what wakes whoever waits for it. Our end of a pair of sockets, because the flags of the other can't change
    /// it.
    wakers: [OnceLock<OwnedFd>; MAILBOXES_MAX],
}

// SAFETY: it is memory that another process changes as well. All access is by atomics, or by copies of plain bytes.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Makes it. Its length can't be changed by anybody from then on, so that nobody faults in it.
    pub fn make(layout: Layout) -> io::Result<Self> {
        let memory = memfd_create(c"cofferdam-lanes", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        let (_, bytes) = layout.slabs();
        ftruncate(&memory, i64::try_from(bytes).map_err(io::Error::other)?)?;
        let seals = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
        fcntl(&memory, FcntlArg::F_ADD_SEALS(seals))?;
        let mut this = Self::map(&memory, layout)?;
        this.describe();
        this.memory = Some(memory);
        Ok(this)
    }

    /// Maps what the host has made, as it is described there, and closes the descriptor. For a shim, which believes its
    /// host.
    pub fn open(memory: OwnedFd) -> io::Result<Self> {
        let strange = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the lanes are {what}"));
        let least = Layout::new(&[Class { lanes: 1, slab_bytes: 1 }]).ok_or_else(|| strange("without a layout"))?;
        let bytes = usize::try_from(fstat(&memory)?.st_size).map_err(io::Error::other)?;
        if bytes < least.slabs().1 {
            return Err(strange("too short"));
        }
        // What says how long it has to be lies in the part that each has.
        let layout = Self::map(&memory, least)?.described().ok_or_else(|| strange("not described"))?;
        if layout.slabs().1 != bytes {
            return Err(strange("of another length than they say"));
        }
        Self::map(&memory, layout)
    }

    fn map(memory: &OwnedFd, layout: Layout) -> io::Result<Self> {
        let (slabs, bytes) = layout.slabs();
        let bytes = NonZeroUsize::new(bytes).ok_or(Errno::EINVAL)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let base = unsafe { mmap(None, bytes, protection, MapFlags::MAP_SHARED, memory, 0)? };
        Ok(Self { base: base.cast(), bytes, memory: None, layout, slabs, wakers: Default::default() })
    }

    /// To be handed over, by who has made it.
    pub fn memory(&self) -> Option<BorrowedFd<'_>> {
        self.memory.as_ref().map(AsFd::as_fd)
    }

    /// Which lanes there are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn word(&self, lane: usize) -> &SharedWord {
        self.word_at(Layout::lane_at(lane))
    }

    /// Which lanes have been asked.
    pub(super) fn bell(&self) -> Bell<'_, SharedWord> {
        Bell { asked: self.words_at(ASKED), asleep: self.word_at(ASLEEP) }
    }

    /// Of which lanes the callers have gone.
    pub(super) fn gone(&self) -> Bell<'_, SharedWord> {
        Bell { asked: self.words_at(GONE), asleep: self.word_at(ASLEEP) }
    }

    /// Which lanes of a mailbox have been answered. There are [`MAILBOXES_MAX`].
    pub(super) fn mailbox(&self, number: usize) -> Bell<'_, SharedWord> {
        assert!(number < MAILBOXES_MAX, "there is one");
        let at = MAILBOXES + number * MAILBOX_BYTES;
        Bell { asked: self.words_at(at), asleep: self.word_at(at + MAILBOX_BYTES / 2) }
    }

    /// Opens a mailbox: what is returned becomes readable when there is something in it and whoever waits for it sleeps.
    /// For a host. Fails for one that there is not, and one that is open.
    pub fn open_mailbox(&self, number: u32) -> io::Result<OwnedFd> {
        let strange = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("mailbox {number} {what}"));
        let waker = self.wakers.get(number as usize).ok_or_else(|| strange("is none of those that there are"))?;
        let (theirs, ours) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        // Nobody reads what the other end could write.
        ours.shutdown(std::net::Shutdown::Read)?;
        waker.set(ours.into()).map_err(|_| strange("is open"))?;
        Ok(theirs.into())
    }

    /// The callee: something is in a mailbox, for this lane. One that nobody has opened is of no interest.
    pub(super) fn tell_mailbox(&self, number: usize, lane: usize) {
        if let Some(waker) = self.wakers.get(number).and_then(OnceLock::get) {
            self.mailbox(number).ring_and::<RealFence>(lane, || {
                // One that is full is readable. Whatever the other end does, this neither waits nor ends us by a signal.
                let _ = send(waker.as_raw_fd(), &[1], MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
            });
        }
    }

    pub(super) fn get(&self, lane: usize, field: Field) -> u32 {
        self.field(lane, field).load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, lane: usize, field: Field, value: u32) {
        self.field(lane, field).store(value, Ordering::Relaxed);
    }

    /// The caller's number of the call in a lane.
    pub(super) fn call(&self, lane: usize) -> &AtomicU64 {
        self.long_field(lane, CALL)
    }

    /// When the caller of a lane stops waiting.
    pub(super) fn deadline(&self, lane: usize) -> &AtomicU64 {
        self.long_field(lane, DEADLINE)
    }

    /// What argument and answer of a lane may take, each.
    pub(super) fn slab_bytes(&self, lane: usize) -> usize {
        self.slabs[lane].bytes
    }

    /// Writes the names of actor and operation. Most often they are those of the last call of the lane: then nothing is
    /// written, and the other side's cache keeps them.
    pub(super) fn write_names(&self, lane: usize, [actor, operation]: [&str; 2]) {
        let at = self.slabs[lane].names;
        self.change_to(at, &actor.as_bytes()[..actor.len().min(ACTOR_BYTES_MAX)]);
        self.change_to(at + ACTOR_BYTES_MAX, &operation.as_bytes()[..operation.len().min(OPERATION_BYTES_MAX)]);
    }

    /// Copies the names of actor and operation, one behind the other.
    pub(super) fn read_names(&self, lane: usize, [actor, operation]: [usize; 2], into: &mut Vec<u8>) {
        let at = self.slabs[lane].names;
        into.clear();
        self.append_from(at, actor.min(ACTOR_BYTES_MAX), into);
        self.append_from(at + ACTOR_BYTES_MAX, operation.min(OPERATION_BYTES_MAX), into);
    }

    /// Writes the argument, as far as the slab takes it.
    pub(super) fn write_argument(&self, lane: usize, bytes: &[u8]) {
        let Slab { argument, bytes: room, .. } = self.slabs[lane];
        self.copy_to(argument, &bytes[..bytes.len().min(room)]);
    }

    /// Copies the argument, as far as the slab takes it.
    pub(super) fn read_argument(&self, lane: usize, bytes: usize, into: &mut Vec<u8>) {
        let Slab { argument, bytes: room, .. } = self.slabs[lane];
        self.copy_from(argument, bytes.min(room), into);
    }

    /// Writes the answer or the words of a failure, as far as the slab takes them.
    pub(super) fn write_answer(&self, lane: usize, bytes: &[u8]) {
        let Slab { answer, bytes: room, .. } = self.slabs[lane];
        self.copy_to(answer, &bytes[..bytes.len().min(room)]);
    }

    /// Copies the answer or the words of a failure, as far as the slab takes them.
    pub(super) fn read_answer(&self, lane: usize, bytes: usize, into: &mut Vec<u8>) {
        let Slab { answer, bytes: room, .. } = self.slabs[lane];
        self.copy_from(answer, bytes.min(room), into);
    }

    /// Gives the memory of a slab back to the system; zeros are read there from then on. The lane must be nobody's.
    pub(super) fn give_back(&self, lane: usize) {
        let Slab { names, answer, bytes, .. } = self.slabs[lane];
        // Whole pages, which no other slab has a part of.
        let length = (answer + bytes).next_multiple_of(PAGE_BYTES) - names;
        let place = NonNull::new(self.place(names, length)).map(NonNull::cast::<c_void>);
        if let Some(place) = place {
            // SAFETY: it is within the mapping, of which there are no references but those of who has the lane: nobody.
            // Where it fails the memory stays, which is no error.
            let _ = unsafe { madvise(place, length, MmapAdvise::MADV_REMOVE) };
        }
    }

    /// Whether the other side is believed: then argument and answer need not be copied.
    pub(super) const fn is_believed(&self) -> bool {
        self.memory.is_none()
    }

    /// The argument where it lies, and where the answer is to be written.
    ///
    /// # Safety
    ///
    /// The other side is believed, and the lane is the callee's until the last use of these; nobody else has them.
    #[expect(clippy::mut_from_ref, reason = "of a part that nobody else has, by the promise")]
    pub(super) unsafe fn in_place(&self, lane: usize, bytes: usize) -> (&[u8], &mut [u8]) {
        let Slab { argument, answer, bytes: room, .. } = self.slabs[lane];
        let (bytes, argument, answer) = (bytes.min(room), self.place(argument, room), self.place(answer, room));
        // SAFETY: both are within the mapping, which lives as long as `self`, and lie apart. By the promise the other side
        // writes to neither while the lane is the callee's, and nobody else of this side has a reference.
        unsafe { (std::slice::from_raw_parts(argument, bytes), std::slice::from_raw_parts_mut(answer, room)) }
    }

    fn copy_to(&self, at: usize, bytes: &[u8]) {
        let place = self.place(at, bytes.len());
        // SAFETY: the place is within the mapping and no reference to it exists. The other side may write there at the same
        // time, if it is hostile; then other bytes lie there, of which nothing is believed.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
    }

    /// The same, but that nothing is written where the same lies already.
    fn change_to(&self, at: usize, bytes: &[u8]) {
        for (number, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
            let (at, mut there) = (at + number * CHUNK_BYTES, [0; CHUNK_BYTES]);
            let place = self.place(at, chunk.len());
            // SAFETY: the place is within the mapping, and a chunk fits into `there`. If the other side writes there at the
            // same time it is hostile, and what it reads then is its own loss.
            unsafe { ptr::copy_nonoverlapping(place, there.as_mut_ptr(), chunk.len()) };
            if there[..chunk.len()] != *chunk {
                self.copy_to(at, chunk);
            }
        }
    }

    fn copy_from(&self, at: usize, bytes: usize, into: &mut Vec<u8>) {
        into.clear();
        self.append_from(at, bytes, into);
    }

    fn append_from(&self, at: usize, bytes: usize, into: &mut Vec<u8>) {
        let place = self.place(at, bytes);
        into.reserve(bytes);
        // SAFETY: the place is within the mapping, and there is room for so many bytes behind those that there are, each of
        // which is one after the copy. The other side may write there at the same time, if it is hostile; then it is a
        // mixture that was copied, once.
        unsafe {
            ptr::copy_nonoverlapping(place, into.as_mut_ptr().add(into.len()), bytes);
            into.set_len(into.len() + bytes);
        }
    }

    fn field(&self, lane: usize, field: Field) -> &AtomicU32 {
        // SAFETY: the place is a multiple of 4 within the mapping, and used by atomics alone.
        unsafe { &*self.place(Layout::lane_at(lane) + field as usize, 4).cast() }
    }

    fn long_field(&self, lane: usize, field: usize) -> &AtomicU64 {
        // SAFETY: the place is a multiple of 8 within the mapping, and used by atomics alone.
        unsafe { &*self.place(Layout::lane_at(lane) + field, 8).cast() }
    }

    fn word_at(&self, at: usize) -> &SharedWord {
        // SAFETY: all places of words are multiples of 4, lie in what is mapped as long as this lives, and are used as words.
        unsafe { SharedWord::at(self.place(at, 4)) }
    }

    fn words_at(&self, at: usize) -> &[SharedWord] {
        let count = self.layout.bell_words();
        let first = self.place(at, 4 * count);
        // SAFETY: as above, one behind the other.
        unsafe { std::slice::from_raw_parts(first.cast(), count) }
    }

    fn place(&self, at: usize, bytes: usize) -> *mut u8 {
        assert!(at.checked_add(bytes).is_some_and(|end| end <= self.bytes.get()), "it is within the mapping");
        // SAFETY: it is.
        unsafe { self.base.as_ptr().add(at) }
    }

    fn describe(&self) {
        let classes = self.layout.classes();
        let mut page = MAGIC.to_le_bytes().to_vec();
        page.extend((classes.len() as u64).to_le_bytes());
        for Class { lanes, slab_bytes } in classes {
            page.extend([lanes.to_le_bytes(), slab_bytes.to_le_bytes()].concat());
        }
        self.copy_to(0, &page);
    }

    fn described(&self) -> Option<Layout> {
        let mut page = Vec::new();
        self.copy_from(0, 16 + 8 * CLASSES_MAX, &mut page);
        let (head, classes) = page.split_at(16);
        let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).ok();
        let count = number(&head[8..12])? as usize;
        if head[..8] != MAGIC.to_le_bytes() || count > CLASSES_MAX {
            return None;
        }
        let class = |bytes: &[u8]| Some(Class { lanes: number(&bytes[..4])?, slab_bytes: number(&bytes[4..])? });
        let classes = classes.chunks_exact(8).take(count).map(class).collect::<Option<Vec<_>>>()?;
        Layout::new(&classes)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: it is our mapping, and nobody has a reference to it any more.
        let unmapped = unsafe { munmap(self.base.cast::<c_void>(), self.bytes.get()) };
        debug_assert!(unmapped.is_ok(), "it was mapped");
    }
}

#[cfg(test)]
mod tests;
