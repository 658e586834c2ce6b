//! Which slot of the wire a lane of the application uses.
//!
//! The wire knows few lanes and never forgets one; the application has as many as it likes and drops them
//! without a word. A slot goes from one lane to the next only when nothing sent on it is unacknowledged, and
//! its sequence numbers go on, so the receiver need not be told.

use std::collections::BTreeMap;

/// The slots of one class.
#[derive(Debug)]
pub(super) struct SlotMap {
    max_slots: u32,
    /// The lanes that have messages under way, by the application's number.
    tenants: BTreeMap<u32, Tenant>,
    /// Messages under way in each slot.
    loads: Vec<u32>,
    /// Slots with nothing under way. The last one freed is used first, so that few are ever touched.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Tenant {
    slot: u32,
    messages: u32,
}

impl SlotMap {
    /// At most `max_slots` slots, and at least one.
    pub(super) fn new(max_slots: u32) -> Self {
        Self { max_slots: max_slots.max(1), tenants: BTreeMap::new(), loads: Vec::new(), free: Vec::new() }
    }

    /// The slot for one more message of lane `id`: its own while it has messages under way, else a free
    /// one, else one shared with another lane.
    pub(super) fn bind(&mut self, id: u32) -> u32 {
        let slot = match self.tenants.get(&id) {
            Some(tenant) => tenant.slot,
            None => self.choose(id),
        };
        let tenant = self.tenants.entry(id).or_insert(Tenant { slot, messages: 0 });
        tenant.messages = tenant.messages.saturating_add(1);
        if let Some(load) = self.loads.get_mut(slot as usize) {
            *load = load.saturating_add(1);
        }
        slot
    }

    /// A message of lane `id`, and every earlier one of its slot, is acknowledged. `true`: its slot has
    /// nothing under way any more.
    pub(super) fn release(&mut self, id: u32) -> bool {
        let Some(tenant) = self.tenants.get_mut(&id) else { return false };
        let slot = tenant.slot;
        tenant.messages = tenant.messages.saturating_sub(1);
        if tenant.messages == 0 {
            self.tenants.remove(&id);
        }
        let Some(load) = self.loads.get_mut(slot as usize) else { return false };
        *load = load.saturating_sub(1);
        let idle = *load == 0;
        if idle {
            self.free.push(slot);
        }
        idle
    }

    fn choose(&mut self, id: u32) -> u32 {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        let touched = u32::try_from(self.loads.len()).unwrap_or(u32::MAX);
        if touched < self.max_slots {
            self.loads.push(0);
            return touched;
        }
        // Fibonacci hashing: numbers in a row spread evenly.
        (id.wrapping_mul(0x9E37_79B1) >> 8) % self.max_slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_lane_keeps_its_slot_and_an_idle_one_gives_it_up() {
        let mut slots = SlotMap::new(8);
        assert_eq!((slots.bind(70), slots.bind(71), slots.bind(70)), (0, 1, 0));
        assert!(!slots.release(70));
        assert_eq!(slots.bind(70), 0);
        assert!(!slots.release(70));
        assert!(slots.release(70));
        assert_eq!(slots.bind(99), 0);
        assert!(slots.release(71));
        assert_eq!(slots.bind(70), 1);
    }

    #[test]
    fn a_million_lanes_one_after_another_touch_one_slot() {
        let mut slots = SlotMap::new(8);
        for id in 0..1_000_000 {
            assert_eq!(slots.bind(id), 0);
            assert!(slots.release(id));
        }
        assert_eq!((slots.tenants.len(), slots.loads.len(), slots.free.len()), (0, 1, 1));
    }

    #[test]
    fn lanes_beyond_the_slots_share() {
        let mut slots = SlotMap::new(4);
        for id in 0..1000 {
            assert!(slots.bind(id) < 4);
        }
        assert_eq!(slots.loads.len(), 4);
        assert!(slots.loads.iter().all(|load| *load > 100), "{:?}", slots.loads);
        let idle = (0..1000).filter(|id| slots.release(*id)).count();
        assert_eq!((idle, slots.tenants.len(), slots.free.len()), (4, 0, 4));
        assert!(!slots.release(5));
    }
}
