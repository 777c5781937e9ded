//! Reports of how processes of providers died: what one says, how it reads, and where they are kept.
//!
//! A report holds no value of a link, no environment, no register but the program counter, no byte of a process's memory, and
//! no payload unless the operator asked for the beginnings of those in flight. What comes from a provider is marked as its own word. Who fills a report in is `provider`; this
//! module knows no process and no shim. `docs/crashes.md` has the format.
//!
//! Start reading at `report.rs`.

mod page;
mod report;
mod signals;
mod store;

pub use page::page;
pub use report::{
    Backtrace, Call, CallEnd, CrashReport, Ended, Fault, Frame, Line, Output, PAYLOADS_BYTES_MAX, Payload, Provider,
    REPORT_VERSION, Resources, SystemCall, Thread,
};
pub use signals::{is_recorded, signal_name, system_call_name, why};
pub use store::{COUNT_MAX, FOLDER, Reports, StoreError, TOTAL_BYTES_MAX};
