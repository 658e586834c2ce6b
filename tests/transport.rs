//! What every transport must keep, asked of each of them alike. A new one is a line in
//! `conformance!` below.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "transport/close.rs"]
mod close;
#[path = "transport/delivery.rs"]
mod delivery;
#[path = "transport/faults.rs"]
mod faults;
#[path = "transport/lossy.rs"]
mod lossy;
#[path = "transport/strangers.rs"]
mod strangers;
#[path = "transport/support.rs"]
mod support;

use support::Net;

/// Asks every question of every transport: `name: how to make it;`.
macro_rules! conformance {
    ($($transport:ident: $net:expr;)*) => { $(
        mod $transport {
            use super::*;

            questions!($net, #[tokio::test(flavor = "multi_thread", worker_threads = 2)],
                delivery::do_messages_of_one_lane_arrive_in_order,
                delivery::does_a_message_of_any_length_arrive_whole,
                delivery::is_a_message_that_is_too_long_refused_and_nothing_else,
                delivery::does_a_receiver_that_pauses_hold_up_the_sender_and_lose_nothing,
                delivery::does_chat_overtake_a_file,
                delivery::does_a_recv_that_is_dropped_lose_nothing,
                delivery::do_10_000_messages_pass_each_way_at_once,
                delivery::do_1_000_links_fit_on_one_listener,
                delivery::does_each_side_learn_the_others_key,
                delivery::are_messages_and_bytes_counted,
                close::does_a_close_deliver_everything_accepted,
                close::does_a_close_wait_until_the_last_message_was_consumed,
                close::is_a_batch_consumed_only_when_the_next_is_waited_for,
                close::does_a_close_say_how_much_was_not_consumed,
                close::can_both_sides_close_at_once,
                close::can_the_other_side_close_after_this_one,
                close::is_a_send_after_a_close_refused_on_both_sides,
                close::does_a_close_end_a_send_that_waits,
                close::does_a_close_go_on_when_nobody_waits_for_it,
                close::can_a_close_be_waited_for_again,
                close::does_a_dropped_receiver_let_the_sender_go_on,
                close::is_leaving_without_a_close_told_apart,
                close::is_leaving_after_the_others_close_in_order,
                faults::is_nothing_there_told_at_once,
            );
            questions!($net, #[tokio::test(start_paused = true)],
                close::does_a_close_end_though_nobody_reads,
                close::does_a_slow_reader_get_everything_from_one_who_closes,
                faults::is_a_side_that_reads_nothing_for_10_s_given_up,
            );
        }
    )* };
}

macro_rules! questions {
    ($net:expr, #[$test:meta], $($file:ident::$question:ident,)*) => { $(
        #[$test]
        async fn $question() {
            $file::$question(&$net).await;
        }
    )* };
}

conformance! {
    tcp: Net::tcp();
    tcp_insecure: Net::tcp_insecure();
    udp: Net::udp();
    udp_insecure: Net::udp_insecure();
    memory: Net::memory();
    memory_shuffled: Net::memory_shuffled(7);
}
