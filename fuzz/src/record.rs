//! What has to hold for any text in the place of a record.

use reload_core::record::{MAX_LENGTH, Record, SourceRecord};

/// An annotation: it is read or refused, and what is read can be written and read again.
pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(record) = Record::parse(text) else { return };
    let Ok(written) = record.encode() else { return };
    assert!(written.len() <= MAX_LENGTH);
    let again = Record::parse(&written).ok();
    let rewritten = again.as_ref().and_then(|again| again.encode().ok());
    assert_eq!(rewritten.as_deref(), Some(written.as_str()));
    assert_eq!(again.map(without_uses), Some(without_uses(record)));
}

/// Uses, or their marks, may be lost when a record is written.
fn without_uses(mut record: Record) -> Record {
    for source in record.sources.values_mut() {
        if let SourceRecord::Read(read) = source {
            read.uses.clear();
        }
    }
    record
}
