//! Where files may be that are large and live no longer than a load.

use std::path::{Path, PathBuf};

/// Where files may be that are large and short-lived, in this order: `/tmp` is memory on many systems.
pub(super) fn folders() -> Vec<PathBuf> {
    let named = std::env::temp_dir();
    let large = PathBuf::from("/var/tmp");
    if named == Path::new("/tmp") { vec![large, named] } else { vec![named, large] }
}
