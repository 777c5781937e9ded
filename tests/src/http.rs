//! HTTP as a person with `curl` would do it.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

/// A status and a body.
pub type Answer = (u16, String);

/// A port that nobody listens on, at this moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// GET, with any status as an answer. An error when there is no answer at all.
pub fn get(url: &str) -> Result<Answer, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into();
    let mut response = agent.get(url).call()?;
    Ok((response.status().as_u16(), response.body_mut().read_to_string()?))
}

/// GET, of one media type.
pub fn get_as(url: &str, media_type: &str) -> Result<Answer, ureq::Error> {
    let mut response = ureq::get(url).header("accept", media_type).call()?;
    Ok((response.status().as_u16(), response.body_mut().read_to_string()?))
}

/// GET, off the runtime's threads.
pub async fn get_async(url: String) -> Result<Answer, ureq::Error> {
    tokio::task::spawn_blocking(move || get(&url)).await.expect("the request does not panic")
}
