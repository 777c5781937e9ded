use cofferdam_channel::lane::*;
use cofferdam_channel::socket::*;
use cofferdam_channel::*;
use cofferdam_protocol::call::Fault;
use std::sync::Arc;
use std::time::Instant;
struct Echo;
impl Service for Echo {
    fn serve(&self, call: &Incoming<'_>, answer: &mut Vec<u8>) -> Result<(), Fault> {
        answer.extend_from_slice(call.payload);
        Ok(())
    }
}
fn measure(name: &str, client: Arc<dyn Client>, size: usize, threads: usize) {
    let n = 20000 / threads.max(1);
    let payload = vec![7u8; size];
    let began = Instant::now();
    let hs: Vec<_> = (0..threads)
        .map(|_| {
            let (c, p) = (client.clone(), payload.clone());
            std::thread::spawn(move || {
                let mut answer = Vec::new();
                let mut times = Vec::with_capacity(n);
                for _ in 0..n {
                    let t = Instant::now();
                    c.call(
                        &Outgoing {
                            actor: "MACTORMACTORMACTORMACTORMACTORMACTORMACTORMACTORMACTORMA",
                            operation: "Get",
                            payload: &p,
                            deadline: Deadline::after(std::time::Duration::from_secs(5)),
                            cancelled: Cancelled::never(),
                        },
                        &mut answer,
                    )
                    .unwrap();
                    times.push(t.elapsed().as_nanos() as u64);
                }
                times
            })
        })
        .collect();
    let mut all: Vec<u64> = hs.into_iter().flat_map(|h| h.join().unwrap()).collect();
    let took = began.elapsed();
    all.sort();
    println!(
        "{name:8} {size:8} B {threads:3} threads: p50 {:8.2} µs p99 {:8.2} µs  {:9.0}/s",
        all[all.len() / 2] as f64 / 1e3,
        all[all.len() * 99 / 100] as f64 / 1e3,
        all.len() as f64 / took.as_secs_f64()
    );
}
fn main() {
    let max = 16 << 20;
    let config = || ServerConfig { running_max: 64, payload_bytes_max: max, name: "s".into(), run_in: |r| r() };
    let layout = Layout::new(&[
        Class { lanes: 56, slab_bytes: 64 << 10 },
        Class { lanes: 6, slab_bytes: 1 << 20 },
        Class { lanes: 2, slab_bytes: max },
    ])
    .unwrap();
    // the callee in another process
    let ours = Region::make(layout).unwrap();
    let (a, b) = pair().unwrap();
    if unsafe { nix::unistd::fork().unwrap() }.is_child() {
        drop(a);
        let r = Region::open(ours.memory().try_clone_to_owned().unwrap()).unwrap();
        let _s = LaneServer::start(Arc::new(r), Arc::new(Echo), config(), Box::new(|b| eprintln!("{b}"))).unwrap();
        let _t = SocketServer::start(b, Arc::new(Echo), config(), Box::new(|_| std::process::exit(0))).unwrap();
        loop {
            std::thread::park()
        }
    }
    drop(b);
    let lane: Arc<dyn Client> = Arc::new(LaneClient::new(Arc::new(ours), 64, max, Box::new(|b| eprintln!("{b}"))));
    let sock: Arc<dyn Client> = Arc::new(
        SocketClient::new(a, ClientConfig { in_flight_max: 64, payload_bytes_max: max }, Box::new(|_| {})).unwrap(),
    );
    for (size, threads) in [(64, 1), (64, 16), (64, 64), (65536, 1), (1 << 20, 1)] {
        for _ in 0..2 {
            measure("lane", lane.clone(), size, threads);
            measure("socket", sock.clone(), size, threads);
        }
    }
}
trait IsChild {
    fn is_child(&self) -> bool;
}
impl IsChild for nix::unistd::ForkResult {
    fn is_child(&self) -> bool {
        matches!(self, nix::unistd::ForkResult::Child)
    }
}
