//! What waits in one class, each lane in its order, the lanes in turns: a line said now does not wait behind
//! all that somebody else's lane still has to catch up with.

use std::collections::{HashMap, VecDeque};

/// Emptied queues kept for the next lanes.
const SPARE_QUEUES: usize = 16;

/// A queue for each lane that has something waiting. Who has had nothing waiting goes before those whose turn
/// comes round: what is said now and then is not late for what is said without end (the new queues of FQ-CoDel,
/// RFC 8290 section 4.2, counted in messages). Bounded by its owner.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    lanes: HashMap<u32, VecDeque<T>>,
    /// Lanes that had nothing waiting, in the order in which they got something.
    fresh: VecDeque<u32>,
    /// Lanes that had their turn, the next one first.
    served: VecDeque<u32>,
    spare: Vec<VecDeque<T>>,
    len: usize,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            fresh: VecDeque::new(),
            served: VecDeque::new(),
            spare: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Turns<T> {
    pub(crate) fn push(&mut self, lane: u32, item: T) {
        let (fresh, spare) = (&mut self.fresh, &mut self.spare);
        let queue = self.lanes.entry(lane).or_insert_with(|| {
            fresh.push_back(lane);
            spare.pop().unwrap_or_default()
        });
        queue.push_back(item);
        self.len += 1;
    }

    /// What waits over all lanes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What [`Turns::pop`] would take.
    pub(crate) fn front(&mut self) -> Option<&T> {
        while self.fresh.is_empty() && self.served.front().is_some_and(|lane| self.is_spent(*lane)) {
            let lane = self.served.pop_front()?;
            self.retire(lane);
        }
        let lane = self.fresh.front().or_else(|| self.served.front())?;
        self.lanes.get(lane)?.front()
    }

    /// The next one, with its lane.
    pub(crate) fn pop(&mut self) -> Option<(u32, T)> {
        self.front()?;
        let lane = self.fresh.pop_front().or_else(|| self.served.pop_front())?;
        self.take(lane)
    }

    /// The next one of a lane chosen by its number: `pick` is told how many have something waiting.
    pub(crate) fn pop_any(&mut self, pick: impl FnOnce(usize) -> usize) -> Option<(u32, T)> {
        let lanes = &self.lanes;
        let waiting = |lane: &&u32| lanes.get(lane).is_some_and(|queue| !queue.is_empty());
        let count = self.fresh.iter().chain(&self.served).filter(waiting).count();
        let lane = *self.fresh.iter().chain(&self.served).filter(waiting).nth(pick(count))?;
        self.fresh.retain(|other| *other != lane);
        self.served.retain(|other| *other != lane);
        self.take(lane)
    }

    /// Takes of a lane that stands in neither line now. One that has nothing more keeps its place for a round,
    /// or it could go first again and again and nobody else would ever have a turn.
    fn take(&mut self, lane: u32) -> Option<(u32, T)> {
        let item = self.lanes.get_mut(&lane)?.pop_front()?;
        self.len -= 1;
        self.served.push_back(lane);
        Some((lane, item))
    }

    fn is_spent(&self, lane: u32) -> bool {
        self.lanes.get(&lane).is_none_or(VecDeque::is_empty)
    }

    fn retire(&mut self, lane: u32) {
        if let Some(queue) = self.lanes.remove(&lane)
            && self.spare.len() < SPARE_QUEUES
        {
            self.spare.push(queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(turns: &mut Turns<u32>) -> Vec<(u32, u32)> {
        std::iter::from_fn(|| turns.pop()).collect()
    }

    #[test]
    fn does_every_lane_get_its_turn_and_keep_its_order() {
        let mut turns = Turns::default();
        for item in 0..3 {
            turns.push(1, item);
        }
        turns.push(2, 0);
        turns.push(2, 1);
        assert_eq!(turns.front(), Some(&0));
        assert_eq!(turns.len(), 5);
        assert_eq!(drain(&mut turns), [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2)]);
        assert!(turns.is_empty() && turns.front().is_none());
    }

    #[test]
    fn does_one_who_says_something_now_and_then_go_before_those_who_never_stop() {
        let mut turns = Turns::default();
        for item in 0..4 {
            turns.push(1, item);
            turns.push(2, item);
        }
        assert_eq!([turns.pop(), turns.pop()], [Some((1, 0)), Some((2, 0))]);
        turns.push(3, 9);
        turns.push(3, 10);
        assert_eq!(turns.pop(), Some((3, 9)));
        assert_eq!(turns.pop(), Some((1, 1)), "but once: then it is one of them");
        assert_eq!(drain(&mut turns)[..2], [(2, 1), (3, 10)]);
    }

    #[test]
    fn can_one_come_back_again_and_again_and_hold_up_the_rest() {
        let mut turns = Turns::default();
        (0..3).for_each(|item| turns.push(1, item));
        let mut order = Vec::new();
        for item in 0..3 {
            turns.push(2, item);
            order.extend(turns.pop());
            order.extend(turns.pop());
        }
        assert_eq!(order, [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2), (2, 2)]);
    }

    #[test]
    fn is_any_lane_with_something_waiting_to_be_had() {
        let mut turns = Turns::default();
        (0..2).for_each(|item| turns.push(1, item));
        turns.push(2, 7);
        assert_eq!(turns.pop(), Some((1, 0)));
        assert_eq!(turns.pop(), Some((2, 7)));
        assert_eq!(turns.pop_any(|lanes| lanes), None, "there is no such lane");
        assert_eq!(turns.pop_any(|lanes| lanes - 1), Some((1, 1)), "lane 2 waits for nothing");
        assert_eq!(turns.pop_any(|lanes| lanes), None);
        assert!(turns.is_empty());
    }

    #[test]
    fn is_nothing_kept_of_lanes_that_are_done() {
        let mut turns = Turns::default();
        for lane in 0..1_000 {
            turns.push(lane, 0);
        }
        assert_eq!(drain(&mut turns).len(), 1_000);
        assert!(turns.lanes.is_empty() && turns.served.is_empty());
        assert_eq!(turns.spare.len(), SPARE_QUEUES);
    }
}
