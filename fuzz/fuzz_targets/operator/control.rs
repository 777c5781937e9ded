//! The words on the operator's socket, without the server and the client that speak them.

#[path = "../../../host/src/control/protocol.rs"]
#[allow(dead_code)]
pub mod protocol;
#[path = "../../../host/src/control/report.rs"]
#[allow(dead_code)]
pub mod report;
