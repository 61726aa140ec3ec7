//! Archives: from a file to the members that were chosen of it, and from a member to its bytes.
//!
//! A zip is known by its directory, and each member is a range of the file. A tar is read from header to
//! header; one that is compressed as a whole is read through to find its members, and from its start to reach
//! one, unless the member before it was read just now. What the directory says of a member is held to:
//! its length, and its checksum where there is one.

mod choose;
mod expand;
mod open;
mod tar;
mod zip;

pub(super) use expand::{expand, find_again};
pub(super) use open::{Tars, open};
