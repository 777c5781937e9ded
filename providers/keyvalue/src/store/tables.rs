//! The tables of a database and the version of their layout.

use redb::{Database, ReadableTable, TableDefinition};

use crate::error::OperationError;

/// Key to [`super::entry::Entry`].
pub(super) const ENTRIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("entries");
/// Key and position to an item of a list.
pub(super) const ITEMS: TableDefinition<'_, (&str, i64), &str> = TableDefinition::new("items");
/// Key and member of a set.
pub(super) const MEMBERS: TableDefinition<'_, (&str, &str), ()> = TableDefinition::new("members");
/// When (in ms since 1970) which key expires.
pub(super) const EXPIRIES: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("expiries");

const LAYOUT: TableDefinition<'_, &str, u32> = TableDefinition::new("layout");
const LAYOUT_VERSION: u32 = 1;

/// Makes what is missing. Refuses a database of another layout, and changes nothing in it.
pub(super) fn prepare(database: &Database) -> Result<(), OperationError> {
    let transaction = database.begin_write()?;
    {
        let mut layout = transaction.open_table(LAYOUT)?;
        let found = layout.get("version")?.map(|version| version.value());
        match found {
            Some(LAYOUT_VERSION) => {}
            Some(_) => return Err(OperationError::Corrupt("its layout is of another version of this provider")),
            None => {
                layout.insert("version", LAYOUT_VERSION)?;
            }
        }
        transaction.open_table(ENTRIES)?;
        transaction.open_table(ITEMS)?;
        transaction.open_table(MEMBERS)?;
        transaction.open_table(EXPIRIES)?;
    }
    transaction.commit()?;
    Ok(())
}

/// The range of all items of one list.
pub(super) fn items_of(key: &str) -> std::ops::RangeInclusive<(&str, i64)> {
    (key, i64::MIN)..=(key, i64::MAX)
}
