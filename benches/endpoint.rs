//! What strangers cost before anything is remembered of them: nanoseconds of one thread for a datagram,
//! without the kernel. Each comes from another address, as if spoofed.
//!
//! `retry`: a client hello when addresses have to be proven. `stolen-token`: one with the token of another
//! address. `noise`: one that does not open with its own keys. `unknown`: a packet of no connection here.
//! How many allocations that takes is counted by the bench `heap`.

#[path = "endpoint/flood.rs"]
mod flood;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use flood::{Flood, SECURITIES};
use sayagain::transport::udp::proto::Dispatch;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("endpoint");
    group.throughput(Throughput::Elements(1));
    for (security, handshaker) in SECURITIES {
        let floods = [
            ("retry", Flood::hellos(handshaker)),
            ("stolen-token", Flood::stolen_tokens(handshaker)),
            ("noise", Flood::noise(handshaker)),
            ("unknown", Flood::unknown(handshaker)),
        ];
        for (name, mut flood) in floods {
            group.bench_function(BenchmarkId::new(name, security), |bencher| {
                bencher.iter(|| black_box::<Dispatch>(flood.next()));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
