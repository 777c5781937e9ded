//! The HTTP server on as many loops as a test wants, whatever the machine has.

use std::num::NonZeroUsize;
use std::time::Duration;

use cofferdam_httpserver::HttpServer;
use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply};

/// How many.
pub(crate) const LOOPS: usize = 3;

pub(crate) struct OnLoops(HttpServer);

pub(crate) static PROVIDER: cofferdam_testkit::abi::Exported = cofferdam_provider::__export::<OnLoops>();

impl Provider for OnLoops {
    const NAME: &'static str = HttpServer::NAME;
    const CONCURRENCY: u32 = HttpServer::CONCURRENCY;

    fn create(host: Host) -> Result<Self, Failure> {
        HttpServer::on_loops(host, NonZeroUsize::new(LOOPS).expect("there are some")).map(Self)
    }

    fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        self.0.bind(link)
    }

    fn unbind(&self, actor: &str) {
        self.0.unbind(actor);
    }

    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
        self.0.handle(call, reply)
    }

    fn health(&self) -> Result<(), Failure> {
        self.0.health()
    }

    fn shutdown(&self, within: Duration) {
        self.0.shutdown(within);
    }
}
