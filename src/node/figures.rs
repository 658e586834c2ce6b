//! What people are told of a link: the transport's figures in the words of the room above.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    app::{LinkFigures, PathFigures},
    transport::PathStats,
};

use super::session::LinkHandle;

/// What is known of a link now.
pub(super) fn figures(handle: &LinkHandle) -> LinkFigures {
    let stats = handle.tx.stats();
    let pinged = Some(handle.rtt_us.load(Ordering::Relaxed));
    let rtt = stats.path.map(|path| micros(path.rtt));
    LinkFigures {
        peer: handle.peer.to_string(),
        name: handle.name.clone(),
        transport: handle.transport,
        rtt_us: rtt.into_iter().chain(pinged).find(|rtt| *rtt > 0),
        bytes_sent: stats.bytes_sent,
        bytes_received: stats.bytes_received,
        messages_sent: stats.messages_sent,
        messages_received: stats.messages_received,
        path: stats.path.as_ref().map(path_figures),
    }
}

fn path_figures(path: &PathStats) -> PathFigures {
    PathFigures {
        min_rtt_us: micros(path.min_rtt),
        rtt_var_us: micros(path.rtt_var),
        packets_sent: path.packets_sent,
        packets_lost: path.packets_lost,
        retransmits: path.retransmits,
        spurious: path.spurious,
        copies: path.copies,
        window: path.window,
        in_flight: path.in_flight,
        mtu: path.mtu,
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU64};

    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use crate::transport::{CloseReason, Lane, LinkError, LinkStats, LinkTx, Undelivered};

    /// A link that only has figures.
    #[derive(Debug)]
    struct Measured(LinkStats);

    #[async_trait]
    impl LinkTx for Measured {
        async fn send(&self, _: Lane, _: Bytes) -> Result<(), LinkError> {
            Ok(())
        }

        async fn close(&self, _: CloseReason) -> Result<(), Undelivered> {
            Ok(())
        }

        fn stats(&self) -> LinkStats {
            self.0
        }
    }

    fn rtt_us(pinged_us: u64, path: Option<PathStats>) -> Option<u64> {
        let handle = LinkHandle {
            outbox: Arc::default(),
            tx: Arc::new(Measured(LinkStats { path, ..LinkStats::default() })),
            rtt_us: Arc::new(AtomicU64::new(pinged_us)),
            peer: ([127, 0, 0, 1], 4224).into(),
            transport: "udp",
            name: "hub".into(),
        };
        figures(&handle).rtt_us
    }

    #[test]
    fn whose_round_trip_is_told() {
        let path = |ms| Some(PathStats { rtt: Duration::from_millis(ms), ..PathStats::default() });
        assert_eq!(rtt_us(0, None), None);
        assert_eq!(rtt_us(7, None), Some(7));
        assert_eq!(rtt_us(7, path(2)), Some(2_000), "the transport measures all the time");
        assert_eq!(rtt_us(7, path(0)), Some(7), "it has not measured yet");
    }
}
