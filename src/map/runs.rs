//! Values that stand one behind the other in their record, as COPY text: copied together, and the delimiters
//! between them made tabs. A record of many short values is mostly such runs, and to copy each by itself
//! costs more than to look at it.

use super::mapping::{Slot, Target};

/// Which field each column has its value from, where each has one of its own and nothing else is made of any.
pub(super) struct Lane {
    /// By column of the block.
    pub(super) fields: Vec<usize>,
    /// Slots of the key, and their fields.
    pub(super) keys: Vec<(Slot, usize)>,
    /// Room for [`Runs`].
    pub(super) delimiters: Vec<usize>,
}

impl Lane {
    /// `None`: two fields go to one column, or one goes to no column of its own.
    pub(super) fn new(columns: &[Slot], targets: &[Target], keys: &[Slot]) -> Option<Self> {
        let field_of = |slot: Slot| {
            let mut fields = (0..targets.len()).filter(|&field| targets[field] == Target::Slot(slot));
            let field = fields.next()?;
            fields.next().is_none().then_some(field)
        };
        if targets.is_empty() || targets.contains(&Target::Extra) {
            return None;
        }
        let fields = columns.iter().map(|&slot| field_of(slot)).collect::<Option<_>>()?;
        let keys = keys.iter().map(|&slot| Some((slot, field_of(slot)?))).collect::<Option<_>>()?;
        Some(Self { fields, keys, delimiters: Vec::new() })
    }
}

/// The values of one record on their way out.
pub(super) struct Runs<'r> {
    record: &'r [u8],
    /// The run that is open.
    from: usize,
    to: usize,
    is_open: bool,
    /// Where delimiters stand in it.
    delimiters: &'r mut Vec<usize>,
}

impl<'r> Runs<'r> {
    pub(super) fn new(record: &'r [u8], delimiters: &'r mut Vec<usize>) -> Self {
        // A record that was refused in the midst of a run has left some.
        delimiters.clear();
        Self { record, from: 0, to: 0, is_open: false, delimiters }
    }

    /// Appends a tab and a value that is its own COPY text, at the latest with the next [`Runs::flush`].
    #[inline]
    pub(super) fn push(&mut self, out: &mut Vec<u8>, value: &[u8]) {
        let from = value.as_ptr().addr().wrapping_sub(self.record.as_ptr().addr());
        if self.is_open && from == self.to + 1 && from + value.len() <= self.record.len() {
            self.delimiters.push(self.to);
            self.to = from + value.len();
            return;
        }
        self.flush(out);
        if from.checked_add(value.len()).is_some_and(|to| to <= self.record.len()) {
            (self.from, self.to, self.is_open) = (from, from + value.len(), true);
        } else {
            // It stands elsewhere.
            out.push(b'\t');
            out.extend_from_slice(value);
        }
    }

    /// Appends what is left.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.is_open {
            return;
        }
        self.is_open = false;
        out.push(b'\t');
        let start = out.len();
        out.extend_from_slice(&self.record[self.from..self.to]);
        for &at in &*self.delimiters {
            out[start + at - self.from] = b'\t';
        }
        self.delimiters.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_given_up_leaves_nothing_to_the_next_record() {
        let mut delimiters = Vec::new();
        let mut out = Vec::new();
        let (first, second) = (b"1,2,3,4,5", b"6");
        let mut runs = Runs::new(first, &mut delimiters);
        runs.push(&mut out, &first[..1]);
        runs.push(&mut out, &first[2..3]);
        let mut runs = Runs::new(second, &mut delimiters);
        runs.push(&mut out, second);
        runs.flush(&mut out);
        assert_eq!(out, b"\t6");
    }

    #[test]
    fn values_of_a_record_come_out_as_if_copied_one_by_one() {
        let record = b"1,23,,\"a,b\",x,\"\",,yz";
        let elsewhere = b"else".to_vec();
        let at = |range: std::ops::Range<usize>| &record[range];
        let values = [
            at(0..1),
            at(2..4),
            at(5..5),
            at(7..10),
            at(12..13),
            at(15..15),
            at(17..17),
            at(18..20),
            &elsewhere[..],
            b"".as_slice(),
        ];
        let mut delimiters = Vec::new();
        // All in order, some left out, backwards, one twice.
        let orders: [&[usize]; 6] = [
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            &[0, 2, 4, 6],
            &[7, 6, 5, 4, 3, 2, 1, 0],
            &[1, 1, 2, 2, 0],
            &[8, 0, 8, 1, 2, 8],
            &[],
        ];
        for order in orders {
            let (mut out, mut expected) = (b"before".to_vec(), b"before".to_vec());
            let mut runs = Runs::new(record, &mut delimiters);
            for &n in order {
                runs.push(&mut out, values[n]);
                expected.push(b'\t');
                expected.extend_from_slice(values[n]);
            }
            runs.flush(&mut out);
            assert_eq!(out, expected, "{order:?}");
            assert!(delimiters.is_empty());
        }
    }

    #[test]
    fn a_lane_is_for_columns_that_have_one_field_each() {
        use Target::{Extra, Generated, Slot};
        let fields =
            |columns: &[usize], targets: &[Target]| Lane::new(columns, targets, &[]).map(|lane| lane.fields);
        assert_eq!(fields(&[0, 1, 2], &[Slot(2), Generated, Slot(0), Slot(1)]), Some(vec![2, 3, 0]));
        assert_eq!(fields(&[0, 1], &[Slot(0), Slot(1), Slot(0)]), None);
        assert_eq!(fields(&[0], &[Slot(0), Extra]), None);
        assert_eq!(fields(&[0, 1], &[Slot(0)]), None);
        assert_eq!(fields(&[], &[]), None);
        assert_eq!(Lane::new(&[0, 1], &[Slot(1), Slot(0)], &[1]).map(|lane| lane.keys), Some(vec![(1, 0)]));
        assert!(Lane::new(&[0], &[Slot(0)], &[1]).is_none(), "a key without a field");
    }
}
