//! The bounds of what control messages hold, checked on what is read and, so that we never break them ourselves, on
//! what is written. Whether a message makes sense at this moment is not asked here.

use super::{Backtrace, Confine, Dir, Frame, HostMessage, Identity, Network, Setting, ShimMessage, Want};
use crate::error::Broken;
use crate::limits::{
    ACTOR_BYTES_MAX, ADDRESS_BYTES_MAX, CALLS_MAX, DIRS_MAX, FRAMES_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, PORTS_MAX,
    RECORD_BYTES_MAX, SETTING_VALUE_BYTES_MAX, SETTINGS_MAX, WORDS_BYTES_MAX,
};

impl HostMessage {
    pub(super) fn check(&self) -> Result<(), Broken> {
        match self {
            Self::Confine(confine) => confine.check(),
            Self::Load { env } => {
                Broken::unless_length("environment variables", env.len(), SETTINGS_MAX)?;
                env.iter().try_for_each(Setting::check)
            }
            Self::Bind { request: _, actor, values } => {
                Broken::unless_length("actor bytes", actor.len(), ACTOR_BYTES_MAX)?;
                Broken::unless_length("settings", values.len(), SETTINGS_MAX)?;
                values.iter().try_for_each(Setting::check)
            }
            Self::Unbind { request: _, actor } => Broken::unless_length("actor bytes", actor.len(), ACTOR_BYTES_MAX),
            Self::Refused { request: _, refusal: _, reason } => words("reason bytes", reason),
            Self::Explain { record } => Broken::unless_length("crash record bytes", record.len(), RECORD_BYTES_MAX),
            Self::Health { request: _ }
            | Self::Granted { request: _ }
            | Self::Drain { deadline_ns: _ }
            | Self::Lanes => Ok(()),
        }
    }
}

impl ShimMessage {
    pub(super) fn check(&self) -> Result<(), Broken> {
        match self {
            Self::Loaded { name, concurrency } => {
                words("name bytes", name)?;
                Broken::unless("concurrency", (*concurrency).into(), 1, CALLS_MAX.into())
            }
            Self::NotLoaded { fault: _, reason } => words("reason bytes", reason),
            Self::Bound { request: _, rejection: Some(rejection) } => words("rejection bytes", rejection),
            Self::HealthReport { request: _, complaint: Some(complaint) } => words("complaint bytes", complaint),
            Self::Ask { request: _, want } => want.check(),
            Self::Explained(backtrace) => backtrace.check(),
            Self::Log { level: _, line, dropped: _ } => words("line bytes", line),
            Self::Bound { request: _, rejection: None }
            | Self::HealthReport { request: _, complaint: None }
            | Self::Unbound { request: _ }
            | Self::Drained => Ok(()),
        }
    }
}

impl Confine {
    fn check(&self) -> Result<(), Broken> {
        let Self { sandbox: _, identity, dirs, network, limits: _ } = self;
        if let Some(Identity { uid, gid }) = identity {
            Broken::unless("uid", (*uid).into(), 1, u32::MAX.into())?;
            Broken::unless("gid", (*gid).into(), 1, u32::MAX.into())?;
        }
        if let Network::Host { bind, connect } = network {
            Broken::unless_length("ports to bind", bind.len(), PORTS_MAX)?;
            Broken::unless_length("ports to connect to", connect.len(), PORTS_MAX)?;
        }
        Broken::unless_length("directories", dirs.len(), DIRS_MAX)?;
        dirs.iter().try_for_each(Dir::check)
    }
}

impl Backtrace {
    fn check(&self) -> Result<(), Broken> {
        let Self { frames, remark } = self;
        Broken::unless_length("frames", frames.len(), FRAMES_MAX)?;
        frames.iter().try_for_each(Frame::check)?;
        remark.iter().try_for_each(|remark| words("remark bytes", remark))
    }
}

impl Frame {
    fn check(&self) -> Result<(), Broken> {
        let Self { address: _, module, offset: _, function, source, inlined: _ } = self;
        Broken::unless_length("module bytes", module.len(), NAME_BYTES_MAX)?;
        function.iter().try_for_each(|function| words("function bytes", function))?;
        source.iter().try_for_each(|source| Broken::unless_length("source bytes", source.len(), PATH_BYTES_MAX))
    }
}

impl Dir {
    fn check(&self) -> Result<(), Broken> {
        let Self { name, path, writable: _ } = self;
        Broken::unless_length("directory name bytes", name.len(), NAME_BYTES_MAX)?;
        Broken::unless_length("directory path bytes", path.len(), PATH_BYTES_MAX)
    }
}

impl Setting {
    fn check(&self) -> Result<(), Broken> {
        let Self { name, value } = self;
        Broken::unless_length("setting name bytes", name.len(), NAME_BYTES_MAX)?;
        Broken::unless_length("setting value bytes", value.len(), SETTING_VALUE_BYTES_MAX)
    }
}

impl Want {
    fn check(&self) -> Result<(), Broken> {
        match self {
            Self::Listen { address } | Self::Connect { address, deadline_ns: _ } => {
                Broken::unless_length("address bytes", address.len(), ADDRESS_BYTES_MAX)
            }
            Self::File { name, writable: _ } => Broken::unless_length("file name bytes", name.len(), NAME_BYTES_MAX),
            // Which there are, the host knows.
            Self::Mailbox { number: _ } => Ok(()),
        }
    }
}

fn words(what: &'static str, words: &str) -> Result<(), Broken> {
    Broken::unless_length(what, words.len(), WORDS_BYTES_MAX)
}
