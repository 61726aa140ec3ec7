//! The first look at a server: the columns of one of its tables or of a query, and what tells rows apart.

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Column as _, Executor as _, SqlSafeStr as _, Statement as _};

use super::bounds::{self, KeyColumn, key_column};
use super::columns::{CatalogColumn, of_catalog, of_query};
use super::connect::{ask, quoted, text_literal};
use super::error::MysqlError;
use super::value::MysqlForm;

/// Names that are fetched for an error, which shows fewer.
const NAMES_ASKED: usize = 100;

/// What is read, and how.
#[derive(Debug, Clone)]
pub(super) struct MysqlLook {
    /// Gives the rows, in no order.
    pub(super) sql: String,
    /// Names and types.
    pub(super) columns: Vec<(String, String)>,
    /// How the values of each are written.
    pub(super) forms: Vec<MysqlForm>,
    /// Empty: there is none.
    pub(super) key: Vec<KeyColumn>,
}

impl MysqlLook {
    /// The rows behind a key, up to and with another one, in their order.
    pub(super) fn rows(&self, behind: Option<&[String]>, up_to: Option<&[String]>) -> Option<String> {
        let mut conditions = Vec::new();
        if let Some(values) = behind {
            conditions.push(format!("({})", bounds::behind(&self.key, values)?));
        }
        if let Some(values) = up_to {
            conditions.push(format!("({})", bounds::up_to(&self.key, values)?));
        }
        let mut sql = self.sql.clone();
        if !conditions.is_empty() {
            sql += &format!(" WHERE {}", conditions.join(" AND "));
        }
        if !self.key.is_empty() {
            sql += &format!(" ORDER BY {}", bounds::order(&self.key));
        }
        Some(sql)
    }
}

/// A table or a view.
pub(super) async fn table(connection: &mut MySqlConnection, asked: &str) -> Result<MysqlLook, MysqlError> {
    let (database, name) = find(connection, asked).await?;
    let of_it =
        format!("TABLE_SCHEMA = {} AND TABLE_NAME = {}", text_literal(&database), text_literal(&name));
    let columns = columns(connection, &of_it, &database).await?;
    if columns.is_empty() {
        return Err(MysqlError::NoColumns);
    }
    let key = key(connection, &of_it, &columns).await?;
    let (types, forms): (Vec<String>, Vec<MysqlForm>) = columns.iter().map(of_catalog).unzip();
    // A float shows six digits of its own accord, and all that it has as one of eight bytes.
    let shown = columns.iter().zip(&forms).map(|(column, form)| match form {
        MysqlForm::Float => format!("{} + 0E0", quoted(&column.name)),
        _ => quoted(&column.name),
    });
    let shown: Vec<String> = shown.collect();
    // Sorting a large table would fill the server's disk.
    let by_key = if key.is_empty() { "" } else { " FORCE INDEX (PRIMARY)" };
    let sql = format!("SELECT {} FROM {}.{}{by_key}", shown.join(", "), quoted(&database), quoted(&name));
    // Whether it may be read is known before a row is.
    connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await?;
    let columns = columns.into_iter().map(|column| column.name).zip(types).collect();
    Ok(MysqlLook { sql, columns, forms, key })
}

/// The database and the name of a table, as the server writes them.
async fn find(connection: &mut MySqlConnection, asked: &str) -> Result<(String, String), MysqlError> {
    let current = ask(connection, "SELECT DATABASE()").await?;
    let current = current.into_iter().flatten().next().flatten();
    for (database, name) in readings(asked) {
        let Some(database) = database.as_ref().or(current.as_ref()) else { continue };
        let (database, name) = (text_literal(database), text_literal(&name));
        // A server that tells no case apart has one spelling; of two, the one that was asked for.
        let sql = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {database} AND TABLE_NAME = {name} \
             ORDER BY CAST(TABLE_NAME AS BINARY) = CAST({name} AS BINARY) DESC LIMIT 1"
        );
        if let Some([Some(database), Some(name)]) = ask(connection, &sql).await?.first().map(Vec::as_slice) {
            return Ok((database.clone(), name.clone()));
        }
    }
    let said = readings(asked).into_iter().find_map(|(database, _)| database);
    let database = said.or(current).ok_or_else(|| MysqlError::NoDatabase(asked.to_owned()))?;
    let sql = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} \
         ORDER BY TABLE_NAME LIMIT {NAMES_ASKED}",
        text_literal(&database)
    );
    let has = ask(connection, &sql).await?.into_iter().flatten().flatten().collect();
    Err(MysqlError::Missing { database, name: asked.to_owned(), has })
}

/// What a name may mean: a table of the current database, perhaps with a point in it; one of another
/// database. Backquotes are the server's.
fn readings(asked: &str) -> Vec<(Option<String>, String)> {
    let mut parts = vec![String::new()];
    let (mut is_quoted, mut chars) = (false, asked.chars().peekable());
    while let Some(c) = chars.next() {
        let part = parts.last_mut();
        match (c, part) {
            ('`', Some(part)) if is_quoted && chars.peek() == Some(&'`') => {
                chars.next();
                part.push('`');
            }
            ('`', _) => is_quoted = !is_quoted,
            ('.', _) if !is_quoted => parts.push(String::new()),
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    let mut readings = vec![(None, asked.to_owned())];
    match <[String; 2]>::try_from(parts) {
        Ok([database, name]) => readings.push((Some(database), name)),
        Err(mut parts) if parts.len() == 1 => readings.extend(parts.pop().map(|name| (None, name))),
        Err(_) => {}
    }
    readings
}

/// Columns in order; what is generated is left out.
async fn columns(
    connection: &mut MySqlConnection,
    of_it: &str,
    database: &str,
) -> Result<Vec<CatalogColumn>, MysqlError> {
    let sql = format!(
        "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, NUMERIC_PRECISION, \
         NUMERIC_SCALE FROM information_schema.COLUMNS \
         WHERE {of_it} AND COALESCE(GENERATION_EXPRESSION, '') = '' ORDER BY ORDINAL_POSITION"
    );
    let mut columns = Vec::new();
    for row in ask(connection, &sql).await? {
        let mut values = row.into_iter();
        let mut next = || values.next().flatten();
        columns.push(CatalogColumn {
            name: next().unwrap_or_default(),
            data_type: next().unwrap_or_default().to_ascii_lowercase(),
            full_type: next().unwrap_or_default().to_ascii_lowercase(),
            charset: next(),
            collation: next(),
            precision: next(),
            scale: next(),
            is_json: false,
        });
    }
    // MariaDB's JSON is a text with a condition. MySQL has a type, and no such list of conditions.
    let version = ask(connection, "SELECT VERSION()").await?;
    if version.into_iter().flatten().flatten().any(|version| version.contains("MariaDB")) {
        let sql = format!(
            "SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS \
             WHERE CONSTRAINT_SCHEMA = {} AND {}",
            text_literal(database),
            of_it.split_once(" AND ").map_or(of_it, |(_, name)| name)
        );
        // Servers of before that list have no JSON either.
        let clauses: Vec<String> =
            ask(connection, &sql).await.unwrap_or_default().into_iter().flatten().flatten().collect();
        for column in &mut columns {
            column.is_json = clauses.contains(&format!("json_valid({})", quoted(&column.name)));
        }
    }
    Ok(columns)
}

/// The primary key, where its order is that of its values.
async fn key(
    connection: &mut MySqlConnection,
    of_it: &str,
    columns: &[CatalogColumn],
) -> Result<Vec<KeyColumn>, MysqlError> {
    let sql = format!(
        "SELECT COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS \
         WHERE {of_it} AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX"
    );
    let parts = ask(connection, &sql).await?;
    let column = |part: &Vec<Option<String>>| {
        // A column that only its beginning is indexed of is sorted by more than that.
        let [Some(name), None] = part.as_slice() else { return None };
        let place = columns.iter().position(|column| column.name == *name)?;
        key_column(place, &columns[place])
    };
    Ok(parts.iter().map(column).collect::<Option<_>>().unwrap_or_default())
}

/// The rows of a query. The server says what columns it has, and does not run it for that.
pub(super) async fn query(connection: &mut MySqlConnection, text: &str) -> Result<MysqlLook, MysqlError> {
    if text.trim().is_empty() {
        return Err(MysqlError::NoRows);
    }
    let prepared = connection.prepare(AssertSqlSafe(text.to_owned()).into_sql_str()).await?;
    if prepared.columns().is_empty() {
        return Err(MysqlError::NoRows);
    }
    let of_column = |column| {
        let (type_name, form) = of_query(column);
        ((column.name().to_owned(), type_name), form)
    };
    let (columns, forms) = prepared.columns().iter().map(of_column).unzip();
    Ok(MysqlLook { sql: text.to_owned(), columns, forms, key: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::readings;

    #[test]
    fn a_name_may_have_its_database_and_quotes() {
        let own = |name: &str| (None, name.to_owned());
        let of = |database: &str, name: &str| (Some(database.to_owned()), name.to_owned());
        for (asked, found) in [
            ("orders", vec![own("orders"), own("orders")]),
            ("shop.orders", vec![own("shop.orders"), of("shop", "orders")]),
            ("`shop`.`or``d.ers`", vec![own("`shop`.`or``d.ers`"), of("shop", "or`d.ers")]),
            ("`a b`", vec![own("`a b`"), own("a b")]),
            ("a.b.c", vec![own("a.b.c")]),
        ] {
            assert_eq!(readings(asked), found, "{asked}");
        }
    }
}
