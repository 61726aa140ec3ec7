//! Archives as other programs write them: zip by its crate, tar by the system's `tar`.

use std::io::{Cursor, Write as _};
use std::process::Command;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Folder;

/// Files and their contents, in order.
pub type Files<'f> = [(&'f str, &'f [u8])];

/// A zip, deflated.
pub fn zip(files: &Files<'_>) -> Vec<u8> {
    zip_by(CompressionMethod::Deflated, false, files)
}

/// A zip by this method; with fields of 64 bits or without.
pub fn zip_by(method: CompressionMethod, wide: bool, files: &Files<'_>) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method).large_file(wide);
    for (name, content) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A tar of these files, in this order, by `tar` with these words before its names.
pub fn tar(words: &[&str], files: &Files<'_>) -> Vec<u8> {
    let folder = Folder::new();
    for (name, content) in files {
        folder.file(name, content);
    }
    let mut command = Command::new("tar");
    command.current_dir(folder.path()).args(words).args(["-cf", "-"]);
    let made = command.args(files.iter().map(|(name, _)| name)).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}
