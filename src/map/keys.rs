//! Keys that are numbers, as long as they come in order: a record whose key is higher than all before it repeats none of
//! them, and nobody need look.

/// The numbers of a key: of one column, or of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyNumbers([i64; 2]);

impl KeyNumbers {
    /// Not above any key.
    pub const MIN: Self = Self([i64::MIN; 2]);

    /// The numbers of the columns that are hashed, in their order. `None`: there are others, or too many.
    #[must_use]
    pub fn of(numbers: impl IntoIterator<Item = Option<i64>>) -> Option<Self> {
        let mut numbers = numbers.into_iter();
        let first = numbers.next()??;
        let second = numbers.next().unwrap_or(Some(0))?;
        numbers.next().is_none().then_some(Self([first, second]))
    }
}

/// What the keys of some rows are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRange {
    /// The lowest.
    pub lowest: KeyNumbers,
    /// The highest.
    pub highest: KeyNumbers,
    /// Each is higher than the one before it.
    pub ascend: bool,
}

impl KeyRange {
    /// Of these rows, and of one more.
    #[must_use]
    pub fn and(self, key: KeyNumbers) -> Self {
        Self {
            lowest: self.lowest.min(key),
            highest: self.highest.max(key),
            ascend: self.ascend && self.highest < key,
        }
    }
}

impl From<KeyNumbers> for KeyRange {
    fn from(key: KeyNumbers) -> Self {
        Self { lowest: key, highest: key, ascend: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_column_by_column() {
        let key = |numbers: &[i64]| KeyNumbers::of(numbers.iter().copied().map(Some)).unwrap();
        let range = |keys: &[&[i64]]| {
            let mut keys = keys.iter().map(|numbers| key(numbers));
            let first = KeyRange::from(keys.next().unwrap());
            keys.fold(first, KeyRange::and)
        };
        assert!(range(&[&[1, 1], &[1, 2], &[2, 1]]).ascend);
        assert!(range(&[&[-5], &[-4], &[i64::MAX]]).ascend);
        assert!(!range(&[&[1], &[1]]).ascend);
        // Once out of order, out of order.
        assert!(!range(&[&[1], &[3], &[2], &[4]]).ascend);
        assert_eq!(range(&[&[1], &[3], &[-2], &[2]]).lowest, key(&[-2]));
        assert_eq!(range(&[&[1], &[3], &[-2], &[2]]).highest, key(&[3]));
        assert_eq!(KeyNumbers::of([Some(1), None]), None);
        assert_eq!(KeyNumbers::of([None]), None);
        assert_eq!(KeyNumbers::of([]), None);
        assert_eq!(KeyNumbers::of([Some(1), Some(2), Some(3)]), None);
    }
}
