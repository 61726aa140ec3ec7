//! The directory of a zip: what lies where, as APPNOTE.TXT has it. Reads nothing of what is in the members.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::choose::{ArchiveEntry, Choice, ChosenMembers};
use crate::format::Compression;
use crate::input::member::{MemberError, MemberPlace, Packing, label};

/// Bytes of the record at the end without its comment, and the longest comment.
const END_BYTES: usize = 22;
const COMMENT_BYTES: usize = 0xffff;
const END: &[u8] = b"PK\x05\x06";
/// Of the same record with 64 bits, and of what says where that is.
const END_64: &[u8] = b"PK\x06\x06";
const END_64_BYTES: usize = 56;
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const LOCATOR_64_BYTES: usize = 20;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
/// How a member begins, and the bytes before its name there.
pub(super) const LOCAL: &[u8] = b"PK\x03\x04";
pub(super) const LOCAL_BYTES: usize = 30;

/// Flags of an entry: encrypted, also its directory; its name is UTF-8.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const UTF_8: u16 = 1 << 11;
/// Of the fields that follow an entry: sizes of 64 bits, a name in UTF-8.
const EXTRA_64: u16 = 1;
const EXTRA_NAME: u16 = 0x7075;
/// In which system an entry was made, and what its mode says of links there.
const UNIX: u8 = 3;
const KIND_BITS: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// Code page 437, from 0x80 on: what names are in where they do not say UTF-8.
const CP_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Chooses members of a zip; they come in the order of their names.
pub(super) fn choose(path: &Path, mut choice: Choice) -> Result<ChosenMembers, MemberError> {
    each(path, &mut |entry| choice.offer(entry))?;
    let mut chosen = choice.end()?;
    refuse_overlaps(&mut chosen.entries)?;
    chosen.entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(chosen)
}

/// Whether it is a workbook, of those that are zips.
pub(super) fn is_workbook(path: &Path) -> Result<bool, MemberError> {
    let (mut is_office, mut is_typed, mut has_content) = (false, false, false);
    each(path, &mut |entry| {
        is_office |= matches!(entry.name.as_str(), "xl/workbook.xml" | "xl/workbook.bin");
        is_typed |= entry.name == "mimetype";
        has_content |= entry.name == "content.xml";
        Ok(())
    })?;
    Ok(is_office || (is_typed && has_content))
}

/// Two members in the same bytes: what a few bytes say is then said by many of them.
fn refuse_overlaps(entries: &mut [ArchiveEntry]) -> Result<(), MemberError> {
    entries.sort_by_key(|entry| entry.place.offset);
    let end =
        |place: &MemberPlace| place.offset.saturating_add(LOCAL_BYTES as u64).saturating_add(place.packed);
    match entries.windows(2).find(|two| end(&two[0].place) > two[1].place.offset) {
        Some(two) => Err(MemberError::Overlap(label(&two[0].name))),
        None => Ok(()),
    }
}

/// Where the directory is.
struct ZipDirectory {
    offset: u64,
    bytes: u64,
    entries: u64,
    /// By how much places in it are short of those in the file: something stands before the archive.
    shift: u64,
}

/// Gives each file of the directory.
fn each(
    path: &Path,
    each: &mut dyn FnMut(ArchiveEntry) -> Result<(), MemberError>,
) -> Result<(), MemberError> {
    let file = File::open(path).map_err(MemberError::Read)?;
    let size = file.metadata().map_err(MemberError::Read)?.len();
    let directory = directory(&file, size)?;
    let reader = FilePart { file: &file, at: directory.offset, end: directory.offset + directory.bytes };
    let mut reader = BufReader::with_capacity(64 << 10, reader);
    let mut found = 0;
    while found < directory.entries {
        let mut fixed = [0; ENTRY_BYTES];
        reader.read_exact(&mut fixed).map_err(of_directory)?;
        if !fixed.starts_with(ENTRY) {
            return Err(damaged("an entry of its directory does not begin as one"));
        }
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(&fixed, at)));
        let mut rest = vec![0; lengths.iter().sum()];
        reader.read_exact(&mut rest).map_err(of_directory)?;
        let (name, rest) = rest.split_at(lengths[0]);
        found += 1;
        if let Some(entry) = entry(&fixed, name, &rest[..lengths[1]], &directory)? {
            if entry.place.offset.saturating_add(entry.place.packed) > directory.offset {
                return Err(damaged("a member lies behind its end"));
            }
            each(entry)?;
        }
    }
    // A signature of the directory may follow.
    let mut next = [0; ENTRY.len()];
    match reader.read_exact(&mut next).is_ok() && next.as_slice() == ENTRY {
        true => Err(damaged("its directory has more entries than it says")),
        false => Ok(()),
    }
}

/// A part of a file.
struct FilePart<'f> {
    file: &'f File,
    at: u64,
    end: u64,
}

impl Read for FilePart<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = out.len().min(left);
        let count = self.file.read_at(&mut out[..most], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn damaged(how: &str) -> MemberError {
    MemberError::Damaged(how.to_owned())
}

fn of_directory(error: io::Error) -> MemberError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("its directory is shorter than it says"),
        _ => MemberError::Read(error),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// Finds the directory from the end of the file.
fn directory(file: &File, size: u64) -> Result<ZipDirectory, MemberError> {
    let tail_bytes = size.min((END_BYTES + COMMENT_BYTES) as u64);
    let mut tail = vec![0; usize::try_from(tail_bytes).unwrap_or_default()];
    file.read_exact_at(&mut tail, size - tail_bytes).map_err(MemberError::Read)?;
    // The comment reaches to the end of the file: else these are bytes of something else.
    let is_end = |at: &usize| {
        let comment = usize::from(u16_at(&tail, at + 20));
        tail[*at..].starts_with(END) && at + END_BYTES + comment <= tail.len()
    };
    let found = (0..=tail.len().saturating_sub(END_BYTES)).rev().find(is_end);
    let Some(at) = found.filter(|_| tail.len() >= END_BYTES) else {
        let mut head = [0; 4];
        let is_zip = file.read_exact_at(&mut head, 0).is_ok() && head.as_slice() == LOCAL;
        return Err(match is_zip {
            true => MemberError::Incomplete("the directory at its end is not there"),
            false => MemberError::Other("zip"),
        });
    };
    let end = &tail[at..];
    let at = size - tail_bytes + at as u64;
    if u16_at(end, 4) != 0 && u16_at(end, 4) != u16::MAX {
        return Err(MemberError::Split);
    }
    let (entries, bytes, offset) =
        (u64::from(u16_at(end, 10)), u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
    let is_64 =
        entries == u64::from(u16::MAX) || bytes == u64::from(u32::MAX) || offset == u64::from(u32::MAX);
    if let Some(directory) = if is_64 { directory_64(file, at)? } else { None } {
        return Ok(directory);
    }
    placed(at, bytes, offset, entries)
}

/// The directory of one with fields of 64 bits, whose usual end is here; `None`: it has none.
fn directory_64(file: &File, end: u64) -> Result<Option<ZipDirectory>, MemberError> {
    let Some(at) = end.checked_sub(LOCATOR_64_BYTES as u64) else { return Ok(None) };
    let mut locator = [0; LOCATOR_64_BYTES];
    file.read_exact_at(&mut locator, at).map_err(MemberError::Read)?;
    if !locator.starts_with(LOCATOR_64) {
        return Ok(None);
    }
    if u32_at(&locator, 16) > 1 {
        return Err(MemberError::Split);
    }
    // Where something stands before the archive it is short of that; mostly it is right before the locator.
    for place in [u64_at(&locator, 8), at.saturating_sub(END_64_BYTES as u64)] {
        let mut record = [0; END_64_BYTES];
        if place < at && file.read_exact_at(&mut record, place).is_ok() && record.starts_with(END_64) {
            return placed(place, u64_at(&record, 40), u64_at(&record, 48), u64_at(&record, 32)).map(Some);
        }
    }
    Err(damaged("the end of its directory is not where it says"))
}

/// A directory that ends at this byte.
fn placed(end: u64, bytes: u64, offset: u64, entries: u64) -> Result<ZipDirectory, MemberError> {
    let begins = end.checked_sub(bytes).ok_or_else(|| damaged("its directory is longer than the file"))?;
    let shift = begins.checked_sub(offset).ok_or_else(|| damaged("its directory begins behind its end"))?;
    Ok(ZipDirectory { offset: begins, bytes, entries, shift })
}

/// A file of the directory; `None`: a folder, or a link.
fn entry(
    fixed: &[u8; ENTRY_BYTES],
    name: &[u8],
    extra: &[u8],
    directory: &ZipDirectory,
) -> Result<Option<ArchiveEntry>, MemberError> {
    let (flags, method) = (u16_at(fixed, 8), u16_at(fixed, 10));
    let name = name_of(name, flags, extra);
    let attributes = u32_at(fixed, 38);
    let is_link = fixed[5] == UNIX && (attributes >> 16) & KIND_BITS == LINK;
    if name.ends_with('/') || is_link {
        return Ok(None);
    }
    let (mut packed, mut size) = (u64::from(u32_at(fixed, 20)), u64::from(u32_at(fixed, 24)));
    let mut offset = u64::from(u32_at(fixed, 42));
    let mut wide = field(extra, EXTRA_64).unwrap_or_default();
    for value in [&mut size, &mut packed, &mut offset] {
        if *value == u64::from(u32::MAX) {
            let Some((eight, rest)) = wide.split_at_checked(8) else { continue };
            (*value, wide) = (u64_at(eight, 0), rest);
        }
    }
    let offset =
        offset.checked_add(directory.shift).ok_or_else(|| damaged("a member lies behind its end"))?;
    let (packing, refused) = packing(method, flags, &name);
    if packing == Packing::Stored && refused.is_none() && packed != size {
        return Err(damaged("a member that is not compressed has two lengths"));
    }
    let place = MemberPlace { offset, packed, size, crc: u32_at(fixed, 16), packing };
    Ok(Some(ArchiveEntry { name, place, refused }))
}

/// How a member is packed; or why it cannot be read.
fn packing(method: u16, flags: u16, name: &str) -> (Packing, Option<MemberError>) {
    if flags & ENCRYPTED != 0 || method == 99 {
        return (Packing::Stored, Some(MemberError::Encrypted(label(name))));
    }
    match method {
        0 => (Packing::Stored, None),
        8 => (Packing::Deflated, None),
        12 => (Packing::Compressed(Compression::Bzip2), None),
        93 => (Packing::Compressed(Compression::Zstd), None),
        95 => (Packing::Compressed(Compression::Xz), None),
        other => {
            let method = match other {
                9 => "Deflate64".to_owned(),
                14 => "LZMA".to_owned(),
                98 => "PPMd".to_owned(),
                other => format!("method {other}"),
            };
            (Packing::Stored, Some(MemberError::Method { member: label(name), method }))
        }
    }
}

/// The extra field of this number.
fn field(mut extra: &[u8], wanted: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let (number, bytes) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let content = extra.get(4..4 + bytes)?;
        if number == wanted {
            return Some(content);
        }
        extra = &extra[4 + bytes..];
    }
    None
}

/// A name, which is UTF-8 if that is said, or if it can be; else of the code page of old.
fn name_of(bytes: &[u8], flags: u16, extra: &[u8]) -> String {
    let said = field(extra, EXTRA_NAME)
        .and_then(|field| Some((u32_at(field, 1), std::str::from_utf8(field.get(5..)?).ok()?)))
        .filter(|(crc, _)| flags & UTF_8 == 0 && *crc == crc32fast::hash(bytes));
    if let Some((_, name)) = said {
        return name.to_owned();
    }
    of_bytes(bytes)
}

/// Bytes as text, each name another text.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    let of_old = |byte: &u8| match byte.checked_sub(0x80) {
        Some(above) => CP_437.chars().nth(usize::from(above)).unwrap_or('\u{fffd}'),
        None => char::from(*byte),
    };
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(of_old).collect(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_utf_8_or_of_the_old_code_page() {
        assert_eq!(CP_437.chars().count(), 128);
        assert_eq!(of_bytes("é.csv".as_bytes()), "é.csv");
        assert_eq!(of_bytes(b"\x82\xff.csv"), "é\u{a0}.csv");
        let mut extra = vec![0x75, 0x70, 9, 0, 1];
        extra.extend_from_slice(&crc32fast::hash(b"x").to_le_bytes());
        extra.extend_from_slice("ä\u{20ac}".as_bytes().get(..4).unwrap_or_default());
        assert_eq!(name_of(b"y", 0, &extra), "y");
    }
}
