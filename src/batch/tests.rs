//! Batching conserves records: whatever the sizes, every record is in exactly one batch, in source order, and
//! the checkpoints of a partition follow each other without a gap.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use crate::map::{EncodedBlock, EncodedPiece, KeyNumbers, KeyRange, PartRows, RecordNote, RowMeta, WhyNot};
use crate::record::{Block, Digest, Position, Span, SpanKind, Text};

use super::{Batch, BatchLimits, Batcher, KeyHashes, Keys};

/// What becomes of a record: a row of a partition with a key, or a reject of a partition.
type Fate = (usize, bool, u64);

/// A block of records of ten bytes each, dealt out to the partitions.
fn encoded(partitions: usize, first: u64, fates: &[Fate]) -> EncodedBlock {
    let spans = (0..fates.len())
        .map(|i| Span {
            start: u32::try_from(i * 10).unwrap(),
            end: u32::try_from(i * 10 + 9).unwrap(),
            line: first + i as u64 + 1,
            end_line: first + i as u64 + 1,
            end_offset: (first + i as u64) * 10 + 9,
            kind: SpanKind::Whole,
        })
        .collect();
    let place = |record: u64| Position { source: 0, offset: record * 10, record, line: record + 1 };
    let count = fates.len() as u64;
    let text = Text { bytes: Bytes::from(vec![b'x'; fates.len() * 10]), spans };
    let block = Block { first_seq: first, ..Block::of_text(place(first), place(first + count), text) };
    let mut parts: Vec<PartRows> = (0..partitions).map(|_| PartRows::default()).collect();
    for (i, &(partition, is_row, hash)) in fates.iter().enumerate() {
        let part = &mut parts[partition % partitions];
        let i = u32::try_from(i).unwrap();
        if is_row {
            part.bytes.extend_from_slice(format!("{}\n", first + u64::from(i)).as_bytes());
            part.rows.push(RowMeta { i, end: u32::try_from(part.bytes.len()).unwrap(), hash });
            part.present_in_all = Some(vec![1]);
            part.present_in_any = vec![1];
        } else {
            let (column, sqlstate, reason) = (None, "22032".into(), String::new());
            // Some are left out by a condition.
            let why = match i % 3 {
                0 => WhyNot::LeftOut,
                _ => WhyNot::Refused { column, sqlstate, reason },
            };
            part.notes.push(RecordNote { i, why });
        }
    }
    EncodedBlock {
        block: Arc::new(block),
        columns: Arc::from([0]),
        earlier: Vec::new(),
        parts,
        is_unread: false,
        ignored_fields: 0,
        narrowed: None,
        wanted: Vec::new(),
    }
}

/// A block whose first records are a piece of their own, with keys that hashes do not tell apart.
#[test]
fn a_piece_of_a_block_ends_where_its_records_end() {
    let fates = [(0, true, 1), (0, true, 2), (1, false, 0), (1, true, 3), (0, true, 4)];
    let whole = encoded(2, 0, &fates);
    let of_piece = |from: usize, to: usize| {
        let mut piece = encoded(2, 0, &fates).parts;
        for part in &mut piece {
            let is_of_piece = |i: u32| (from..to).contains(&(i as usize));
            let before =
                part.rows.iter().filter(|row| (row.i as usize) < from).map(|row| row.end).max().unwrap_or(0);
            part.rows.retain(|row| is_of_piece(row.i));
            part.rows.iter_mut().for_each(|row| row.end -= before);
            part.bytes.drain(..before as usize);
            part.bytes.truncate(part.rows.last().map_or(0, |row| row.end as usize));
            part.notes.retain(|note| is_of_piece(note.i));
        }
        piece
    };
    let limits = BatchLimits { rows: 100, bytes: 1 << 20 };
    let start = Position { source: 0, offset: 0, record: 0, line: 1 };
    let mut batcher = Batcher::new(limits, KeyHashes::Telling, &[start; 2]);
    let mut parts = of_piece(0, 3);
    parts[0].has_unread_keys = true;
    let piece = EncodedPiece { parts, records: 3, is_unread: true };
    assert!(batcher.push_piece(&whole.block, &whole.columns, piece).is_empty());
    let first = batcher.flush_records();
    let last = EncodedBlock { parts: of_piece(3, 5), ..whole };
    assert!(batcher.push(last, Digest { from: 0, to: 50, hash: 0 }).is_empty());
    let second = batcher.flush_records();
    for batch in first.iter().chain(&second) {
        check_batch(batch);
    }
    let seen = |batches: &[Batch]| -> Vec<_> {
        let of = |b: &Batch| (b.partition, b.read(), b.before.record, b.after.record, b.repeats);
        batches.iter().map(of).collect()
    };
    assert_eq!(seen(&first), [(0, 2, 0, 3, 2), (1, 1, 0, 3, 0)]);
    assert_eq!(seen(&second), [(0, 1, 3, 5, 0), (1, 1, 3, 5, 0)]);
    assert_eq!((first[0].keys, second[0].keys), (Keys::MayRepeat, Keys::Distinct));
}

/// Sequence numbers of a batch: its rows as their COPY text says, and its rejects.
fn records(batch: &Batch) -> (Vec<u64>, Vec<u64>) {
    let mut rows = Vec::new();
    for chunk in &batch.chunks {
        let whole: Vec<u8> = (0..chunk.rows.len()).flat_map(|n| chunk.row(n).to_vec()).collect();
        assert_eq!(whole, chunk.bytes, "the rows of a chunk are its bytes");
        let text = std::str::from_utf8(&chunk.bytes).unwrap();
        rows.extend(text.lines().map(|line| line.parse::<u64>().unwrap()));
        for (n, seq) in text.lines().enumerate() {
            let (block, i) = batch.find(seq.parse().unwrap()).unwrap();
            assert_eq!((block.first_seq, i), (chunk.block.first_seq, chunk.rows[n].i as usize));
        }
    }
    let rejects = batch.notes.iter().map(|r| r.block.first_seq + u64::from(r.note.i)).collect();
    (rows, rejects)
}

fn check_batch(batch: &Batch) {
    let (rows, rejects) = records(batch);
    assert_eq!(batch.rows, rows.len() as u64);
    assert_eq!(batch.read(), (rows.len() + rejects.len()) as u64);
    assert!(rows.is_sorted() && rejects.is_sorted());
    let inside = |seq: &u64| *seq >= batch.before.record && *seq < batch.after.record;
    assert!(rows.iter().chain(&rejects).all(inside), "{batch:?}");
}

proptest! {
    #[test]
    fn every_record_is_in_exactly_one_batch_in_order(
        blocks in prop::collection::vec(
            prop::collection::vec((0..4_usize, prop::bool::weighted(0.8), 0..6_u64), 1..30), 1..8),
        partitions in 1..5_usize,
        rows in 1..40_u64,
        bytes in 1..200_usize,
        resumed in 0..40_u64,
    ) {
        let resume = Position { source: 0, offset: resumed.saturating_sub(1) * 10 + 9, record: resumed, line: resumed };
        let resume = if resumed == 0 { Position::start_of(0) } else { resume };
        let mut batcher = Batcher::new(BatchLimits { rows, bytes }, KeyHashes::Telling, &vec![resume; partitions]);
        let (mut batches, mut first) = (Vec::new(), 0);
        for fates in &blocks {
            let digest = Digest { from: 0, to: 0, hash: 0 };
            batches.extend(batcher.push(encoded(partitions, first, fates), digest));
            first += fates.len() as u64;
        }
        let end = Position::start_of(1);
        batches.extend(batcher.finish(end, true));
        let mut seen = Vec::new();
        for partition in 0..partitions {
            let own = batches.iter().filter(|batch| batch.partition as usize == partition);
            let mut at = resume;
            for batch in own.clone() {
                prop_assert_eq!(batch.before, at, "no gap between checkpoints");
                prop_assert!(batch.rows <= rows);
                at = batch.after;
                if !batch.done {
                    check_batch(batch);
                }
                let (rows, rejects) = records(batch);
                seen.extend(rows.into_iter().chain(rejects));
            }
            prop_assert_eq!(at, end);
            prop_assert_eq!(own.filter(|batch| batch.done).count(), 1);
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (resumed.min(first)..first).collect::<Vec<_>>());
    }

    #[test]
    fn repeats_and_the_others_are_the_batch_and_share_no_key(
        mut blocks in prop::collection::vec(
            prop::collection::vec((0..2_usize, prop::bool::weighted(0.9), 0..40_u64), 1..30), 1..6),
        rows in 1..40_u64,
        are_numbers in any::<bool>(),
        sorted in prop::collection::vec(any::<bool>(), 6),
    ) {
        let limits = BatchLimits { rows, bytes: 1 << 20 };
        let mut batcher = Batcher::new(limits, KeyHashes::Telling, &[Position::start_of(0); 2]);
        let (mut batches, mut first) = (Vec::new(), 0);
        for (n, fates) in blocks.iter_mut().enumerate() {
            if are_numbers && sorted[n] {
                fates.sort_by_key(|&(_, _, key)| key);
                fates.dedup_by_key(|&mut (_, _, key)| key);
                // Above those of the blocks before, or not.
                fates.iter_mut().for_each(|(_, _, key)| *key += 20 * n as u64);
            }
            let spread = fates.iter().map(|&(_, is_row, key)| {
                (usize::try_from(key).unwrap(), is_row, xxhash_rust::xxh3::xxh3_64(&key.to_le_bytes()))
            });
            let mut block = encoded(2, first, &spread.collect::<Vec<_>>());
            if are_numbers {
                for (p, part) in block.parts.iter_mut().enumerate() {
                    let own = fates.iter().filter(|&&(_, is_row, key)| is_row && key % 2 == p as u64);
                    let mut own = own.map(|&(_, _, key)| KeyNumbers::of([i64::try_from(key).ok()]).unwrap());
                    part.keys = own.next().map(|first| own.fold(KeyRange::from(first), KeyRange::and));
                }
            }
            batches.extend(batcher.push(block, Digest { from: 0, to: 0, hash: 0 }));
            first += fates.len() as u64;
        }
        batches.extend(batcher.flush());
        let mut met = std::collections::HashSet::new();
        let number = |hash: u64| {
            let mut keys = blocks.iter().flatten().map(|&(_, _, key)| key);
            i64::try_from(keys.find(|key| xxhash_rust::xxh3::xxh3_64(&key.to_le_bytes()) == hash).unwrap()).unwrap()
        };
        let is_within = |batch: &Batch| {
            batch.chunks.iter().flat_map(|chunk| &chunk.rows).all(|row| {
                let range = batch.key_range.unwrap();
                (range.lowest.first()..=range.highest.first()).contains(&number(row.hash))
            })
        };
        for batch in &batches {
            let is_repeat = |chunk: &super::Chunk, n: usize| chunk.repeats.iter().any(|&r| r as usize == n);
            let all = batch.chunks.iter().flat_map(|c| (0..c.rows.len()).map(move |n| (c, n)));
            let count = |hash: u64| all.clone().filter(|&(c, n)| c.rows[n].hash == hash).count();
            for (chunk, n) in all.clone() {
                let hash = chunk.rows[n].hash;
                prop_assert_eq!(is_repeat(chunk, n), count(hash) > 1 || met.contains(&hash), "{:?}", batch);
                prop_assert!(batch.keys == Keys::MayRepeat || count(hash) == 1, "{batch:?}");
            }
            let repeats = batch.of_repeats();
            prop_assert!(!are_numbers || is_within(batch) && is_within(&repeats), "{batch:?}");
            prop_assert!(are_numbers || batch.key_range.is_none());
            let expected: Vec<u64> = all
                .clone()
                .filter(|&(c, n)| is_repeat(c, n))
                .map(|(c, n)| c.block.first_seq + u64::from(c.rows[n].i))
                .collect();
            prop_assert_eq!((repeats.rows, repeats.repeats), (batch.repeats, batch.repeats));
            prop_assert_eq!(records(&repeats).0, expected);
            if let Some((a, b)) = batch.halve() {
                prop_assert_eq!(a.repeats + b.repeats, batch.repeats);
                prop_assert!(!are_numbers || is_within(&a) && is_within(&b), "{batch:?}");
                prop_assert_eq!([records(&a.of_repeats()).0, records(&b.of_repeats()).0].concat(), records(&repeats).0);
            }
            met.extend(all.map(|(c, n)| c.rows[n].hash));
        }
    }

    #[test]
    fn halves_are_the_whole(fates in prop::collection::vec((0..1_usize, any::<bool>(), 0..9_u64), 1..40)) {
        let mut batcher =
            Batcher::new(BatchLimits { rows: 1_000, bytes: 1 << 20 }, KeyHashes::Telling, &[Position::start_of(0)]);
        batcher.push(encoded(1, 0, &fates), Digest { from: 0, to: 0, hash: 0 });
        let whole = batcher.flush().remove(0);
        let Some((a, b)) = whole.halve() else {
            prop_assert!(fates.len() < 2);
            return Ok(());
        };
        check_batch(&a);
        check_batch(&b);
        prop_assert_eq!((a.before, a.after, b.after), (whole.before, b.before, whole.after));
        prop_assert_eq!(a.read() + b.read(), whole.read());
        prop_assert!(a.read() >= 1 && b.read() >= 1);
        let ((ar, aj), (br, bj), (rows, rejects)) = (records(&a), records(&b), records(&whole));
        prop_assert_eq!([ar, br].concat(), rows);
        prop_assert_eq!([aj, bj].concat(), rejects);
    }
}

#[test]
fn a_key_that_repeats_is_noticed() {
    let batch_of = |hashes: KeyHashes, fates: &[Fate]| {
        let limits = BatchLimits { rows: 1_000, bytes: 1 << 20 };
        let mut batcher = Batcher::new(limits, hashes, &[Position::start_of(0)]);
        batcher.push(encoded(1, 0, fates), Digest { from: 0, to: 0, hash: 0 });
        batcher.flush().remove(0).keys
    };
    assert_eq!(batch_of(KeyHashes::Telling, &[(0, true, 1), (0, true, 2)]), Keys::Distinct);
    assert_eq!(batch_of(KeyHashes::Telling, &[(0, true, 1), (0, true, 1)]), Keys::MayRepeat);
    assert_eq!(batch_of(KeyHashes::Silent, &[(0, true, 1), (0, true, 2)]), Keys::MayRepeat);
    assert_eq!(batch_of(KeyHashes::None, &[(0, true, 1), (0, true, 1)]), Keys::Distinct);
}

#[test]
fn rejects_fill_a_batch_by_their_bytes() {
    let start = Position::start_of(0);
    let limits = BatchLimits { rows: 1_000, bytes: 2_000 };
    let mut batcher = Batcher::new(limits, KeyHashes::None, &[start]);
    let fates: Vec<Fate> = (0..200).map(|_| (0, false, 0)).collect();
    let digest = Digest { from: 0, to: 0, hash: 0 };
    let full = batcher.push(encoded(1, 0, &fates), digest);
    assert!(full.len() > 2, "their originals are held in memory: {} batches", full.len());
    let held = full.iter().map(|batch| batch.notes.len()).sum::<usize>();
    assert!(held <= 200 && full.iter().all(|batch| batch.bytes < 3_000));
}

#[test]
fn the_first_batch_of_each_partition_is_smaller_by_another_share() {
    let limits = BatchLimits { rows: 1_000, bytes: 9_000 };
    let mut batcher = Batcher::new(limits, KeyHashes::None, &[Position::start_of(0); 2]);
    let fates: Vec<Fate> = (0..1_000).map(|i| (i % 2, true, 0)).collect();
    let full = batcher.push(encoded(2, 0, &fates), Digest { from: 0, to: 0, hash: 0 });
    for (partition, first) in [(0, 3_000), (1, 6_000)] {
        let mut own = full.iter().filter(|batch| batch.partition == partition).map(|batch| batch.bytes);
        assert!((first..first + 200).contains(&own.next().unwrap()), "{partition}");
        assert!(own.next().is_some_and(|bytes| (9_000..9_200).contains(&bytes)), "{partition}");
    }
}
