//! `{watermark}` and `{window.start}` in the words of a load: what stands for them, and where.

use dbload::internals::ledger::StoredMark;
use dbload::internals::schedule::MarkOrder;

use super::keys::TurnKeys;
use super::window::{PREFIX, Window};
use crate::cli::args::LoadArgs;
use crate::cli::web::is_url;

/// The name that is replaced.
const NAME: &str = "{watermark}";

/// What is asked for, where nothing is known and nothing will be asked.
const UNKNOWN: &str = "0";

/// What stands for the watermark of a load. `stored` is not looked at for a full load.
pub(super) fn value(
    keys: &TurnKeys,
    stored: Option<&StoredMark>,
    is_offline: bool,
) -> Result<String, String> {
    let Some(stored) = stored else {
        let initial = keys.watermark_initial.clone().or_else(|| is_offline.then(|| UNKNOWN.to_owned()));
        return initial.ok_or_else(|| {
            "watermark: none is kept yet, and there is no initial (watermark = { field = .., initial = .. })".to_owned()
        });
    };
    let mark = MarkOrder::guess(&stored.value).and_then(|kind| kind.mark(&stored.value));
    let lowered = mark.and_then(|mark| mark.lowered(keys.watermark_lag));
    lowered.ok_or_else(|| {
        format!(
            "watermark.lag: {} cannot be lowered by it: a number is for integers, a time for instants",
            stored.value
        )
    })
}

/// What would mean something else in a URL, escaped.
fn of_url(value: &str) -> String {
    value.replace('+', "%2B").replace(' ', "%20")
}

/// Puts a value where the name stands.
pub(super) fn put(args: &mut LoadArgs, value: &str) {
    for text in &mut args.sources {
        *text = text.replace(NAME, &if is_url(text) { of_url(value) } else { value.to_owned() });
    }
    args.web.sent_texts().for_each(|text| *text = text.replace(NAME, value));
}

/// Puts the ends of a window where they are named.
///
/// # Errors
/// What is wrong with a form.
pub(super) fn put_window(args: &mut LoadArgs, window: &Window) -> Result<(), String> {
    for text in &mut args.sources {
        let is_url = is_url(text);
        *text = window.put(text, |value| if is_url { of_url(&value) } else { value })?;
    }
    for text in args.web.sent_texts() {
        *text = window.put(text, |value| value)?;
    }
    Ok(())
}

/// All words with what stands in them now, in one text.
pub(super) fn rendered(args: &mut LoadArgs) -> String {
    let mut words = args.sources.clone();
    words.extend(args.web.sent_texts().map(|text| text.clone()));
    words.join("\n")
}

/// Whether a watermark stands anywhere.
pub(super) fn is_named(args: &mut LoadArgs) -> bool {
    names(args, NAME)
}

/// Whether an end of a window stands anywhere.
pub(super) fn has_window(args: &mut LoadArgs) -> bool {
    names(args, PREFIX)
}

fn names(args: &mut LoadArgs, name: &str) -> bool {
    args.sources.iter().any(|text| text.contains(name))
        || args.web.sent_texts().any(|text| text.contains(name))
}
