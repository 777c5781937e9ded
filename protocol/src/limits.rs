//! The bounds of everything that is read from a peer, each checked before memory is taken for it.

/// Binds and unbinds that a shim has not answered yet.
pub const BINDS_MAX: usize = 8192;

/// A frame of the control socket, length field excluded.
pub const CONTROL_FRAME_BYTES_MAX: u32 = 1 << 20;

/// The header of a call frame: names are short, so a longer header is an attack or a bug.
pub const CALL_HEADER_BYTES_MAX: usize = 1024;

/// Argument or answer of a call, unless the host's hello states less.
pub const PAYLOAD_BYTES_DEFAULT: u32 = 16 << 20;

/// The most that a hello may state for the payload: what a `u32` length can carry beside a header.
pub const PAYLOAD_BYTES_MAX: u32 = 1 << 30;

/// An operation's name.
pub const OPERATION_BYTES_MAX: usize = 512;

/// An actor's public key, of which today's have 56 bytes. With the longest operation it still fits a call header.
pub const ACTOR_BYTES_MAX: usize = 128;

/// Words for people: reasons, error messages, one line of log, the name of a provider.
pub const WORDS_BYTES_MAX: usize = 8 << 10;

/// A name: of a directory, a file, a setting.
pub const NAME_BYTES_MAX: usize = 256;

/// A network address: the longest host name, a colon, a port, and room.
pub const ADDRESS_BYTES_MAX: usize = 512;

/// A path of the file system.
pub const PATH_BYTES_MAX: usize = 4096;

/// Settings of one link. The frame bounds all of them together.
pub const SETTINGS_MAX: usize = 1024;

/// The value of one setting: a certificate chain fits.
pub const SETTING_VALUE_BYTES_MAX: usize = 64 << 10;

/// Directories that are granted to one provider.
pub const DIRS_MAX: usize = 256;

/// Ports that are granted to one provider, each way.
pub const PORTS_MAX: usize = 64;

/// Descriptors that travel with one control frame.
pub const DESCRIPTORS_MAX: usize = 4;

/// What a process leaves when a signal ends it: what a pipe holds.
pub const RECORD_BYTES_MAX: usize = 64 << 10;

/// Modules of a crash record.
pub const MODULES_MAX: usize = 64;

/// Frames of a backtrace.
pub const FRAMES_MAX: usize = 64;

/// How many calls one provider may declare, or make, at once.
pub const CALLS_MAX: u32 = 1024;

/// How many asks of a shim may be without an answer. A provider asks when it is bound, not on each call.
pub const ASKS_MAX: usize = 256;

/// The longest prefix of `words` that fits [`WORDS_BYTES_MAX`], cut between characters.
pub fn clip(words: &str) -> &str {
    &words[..words.floor_char_boundary(WORDS_BYTES_MAX)]
}
