//! Two nodes of this process and a link between them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use sayagain::transport::{Lane, Link, Listener, Transport};
use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};

use super::{
    carrier::Carrier,
    spent::{Clocks, Spent},
};

const MESSAGE_BYTES: usize = 200;

pub(crate) struct Pair {
    dialer: Arc<dyn Transport>,
    listener: Box<dyn Listener>,
    addr: SocketAddr,
    dialed: Link,
    accepted: Link,
}

impl Pair {
    pub(crate) async fn new(carrier: &Carrier) -> Self {
        let (dialer, listening) = (carrier.transport(), carrier.transport());
        let mut listener = listening.listen(([127, 0, 0, 1], 0).into()).await.expect("loopback");
        let addr = listener.local_addr();
        let (dialed, accepted) = tokio::join!(dialer.dial(addr), listener.accept());
        let (dialed, accepted) = (dialed.expect("it listens"), accepted.expect("it is dialed"));
        Self { dialer, listener, addr, dialed, accepted }
    }

    /// Messages in one direction, as fast as they are taken.
    pub(crate) async fn burst(&mut self, lanes: u32, times: u32) -> Spent {
        let Self { dialed, accepted, .. } = self;
        let message = Bytes::from(vec![b'x'; MESSAGE_BYTES]);
        let clocks = Clocks::start();
        let send = async {
            for number in 0..times {
                dialed.tx.send(Lane::thin(number % lanes), message.clone()).await.expect("the link holds");
            }
        };
        let receive = async {
            for _ in 0..times {
                accepted.rx.recv().await.expect("the link holds").expect("the sender stays");
            }
        };
        tokio::join!(send, receive);
        clocks.spent(times, Vec::new())
    }

    /// A message there and back, one at a time.
    pub(crate) async fn ping(&mut self, times: u32) -> Spent {
        let Self { dialed, accepted, .. } = self;
        let message = Bytes::from(vec![b'x'; MESSAGE_BYTES]);
        let clocks = Clocks::start();
        let ask = async {
            let mut singles = Vec::with_capacity(times as usize);
            for _ in 0..times {
                let start = Instant::now();
                dialed.tx.send(Lane::thin(0), message.clone()).await.expect("the link holds");
                dialed.rx.recv().await.expect("the link holds").expect("the other side stays");
                singles.push(start.elapsed());
            }
            singles
        };
        let answer = async {
            for _ in 0..times {
                let message =
                    accepted.rx.recv().await.expect("the link holds").expect("the other side stays");
                accepted.tx.send(Lane::thin(0), message).await.expect("the link holds");
            }
        };
        let (singles, ()) = tokio::join!(ask, answer);
        clocks.spent(times, singles)
    }

    /// Links that are made, and left when all of them are there: who leaves at once may be gone before it
    /// is accepted.
    pub(crate) async fn shake_hands(&mut self, at_once: usize, times: u32) -> Spent {
        let Self { dialer, listener, addr, .. } = self;
        let clocks = Clocks::start();
        let dial = async {
            let (mut dials, mut dialed) = (JoinSet::new(), Vec::with_capacity(times as usize));
            for _ in 0..times {
                if dials.len() == at_once {
                    dialed.extend(dials.join_next().await);
                }
                let (dialer, addr) = (dialer.clone(), *addr);
                dials.spawn(async move {
                    let start = Instant::now();
                    let link = dialer.dial(addr).await.expect("it listens");
                    (start.elapsed(), link)
                });
            }
            while let Some(next) = dials.join_next().await {
                dialed.push(next);
            }
            dialed
        };
        let accept = async {
            let mut accepted = Vec::with_capacity(times as usize);
            for _ in 0..times {
                accepted.push(listener.accept().await.expect("it is dialed"));
            }
            accepted
        };
        let (dialed, accepted) = tokio::join!(dial, accept);
        drop(accepted);
        let single = |dialed: Result<(Duration, Link), JoinError>| dialed.expect("no panic").0;
        clocks.spent(times, dialed.into_iter().map(single).collect())
    }
}
