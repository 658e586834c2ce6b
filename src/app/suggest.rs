//! "Did you mean": the candidate that differs least from what was typed.

/// The candidate nearest to `word`, if any is near enough to be a slip of the fingers.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let slips = if word.chars().count() <= 3 { 1 } else { 2 };
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters inserted, left out, mistaken or swapped with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, letter) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in b.iter().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(letter != *other);
            let removed = at(&last, column + 1) + 1;
            let inserted = at(&current, column) + 1;
            let left = column.checked_sub(1);
            let is_swap = previous == Some(*other) && left.and_then(|left| b.get(left)) == Some(&letter);
            let swapped = left.filter(|_| is_swap).map(|left| at(&before_last, left) + 1);
            current.push(replaced.min(removed).min(inserted).min(swapped.unwrap_or(usize::MAX)));
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(letter);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_apart_are_two_words() {
        assert_eq!(distance("join", "join"), 0);
        assert_eq!(distance("jion", "join"), 1);
        assert_eq!(distance("jon", "join"), 1);
        assert_eq!(distance("", "join"), 4);
        assert_eq!(distance("join", ""), 4);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn which_word_was_meant() {
        assert_eq!(nearest("trasnport", ["listen", "transport"]), Some("transport"));
        assert_eq!(nearest("nmae", ["name", "nick"]), Some("name"));
        assert_eq!(nearest("xyz", ["name", "nick"]), None);
    }
}
