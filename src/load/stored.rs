//! A source of a run as the ledger has it.

use crate::input::Input;
use crate::ledger::StoredSource;
use crate::record::{Place, Position};

/// As the ledger stores it.
pub(super) fn store(input: &Input) -> StoredSource {
    let starts = input.begin.offset == 0 && input.begin.record == 0 && input.begin_page.is_none();
    StoredSource {
        name: input.name.clone(),
        description: serde_json::to_value(&input.description).unwrap_or_default(),
        begin_at: (!starts).then(|| Place::new(input.begin, input.begin_page.clone())),
        set_aside: input.set_aside.clone(),
        moved_to: input.moved_to,
    }
}

/// As the ledger has it; `None`: not in a form that this dbload knows.
pub(super) fn read(stored: &StoredSource, ordinal: usize) -> Option<Input> {
    let source = u32::try_from(ordinal).ok()?;
    let begin = stored.begin_at.as_ref();
    let description = serde_json::from_value(stored.description.clone()).ok()?;
    let at = begin.map_or(Position::start_of(source), |begin| begin.position(source));
    Some(Input {
        begin_page: begin.and_then(|begin| begin.page.clone()),
        set_aside: stored.set_aside.clone(),
        moved_to: stored.moved_to,
        ..Input::described(stored.name.clone(), description, at)
    })
}
