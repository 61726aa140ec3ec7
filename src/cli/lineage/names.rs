//! Names of datasets, by the rules of `OpenLineage`: two tools that touch the same table or file must call it
//! the same.

use std::path::Path;

use percent_encoding::percent_decode_str;

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatasetName {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A table. `database`: `host:port/name`; `table`: `schema.name`.
pub(super) fn of_table(database: &str, table: &str) -> DatasetName {
    let (server, database) = database.rsplit_once('/').unwrap_or((database, ""));
    // Of several servers the first; a socket has no host but this one.
    let server = server.split(',').next().unwrap_or_default();
    let port = server.rsplit_once(':').map_or("5432", |(_, port)| port);
    let is_socket = server.starts_with(['/', '@']);
    let server = if is_socket { format!("localhost:{port}") } else { server.to_owned() };
    DatasetName { namespace: format!("postgres://{server}"), name: format!("{database}.{table}") }
}

/// A source, by its name for people; none for standard input. `folder`: where relative paths begin.
pub(super) fn of_source(name: &str, folder: &Path) -> Option<DatasetName> {
    if name == "-" {
        return None;
    }
    if let Some((scheme, rest)) = name.split_once("://") {
        if matches!(scheme, "postgres" | "postgresql") {
            return Some(of_word(rest));
        }
        if matches!(scheme.split('+').next(), Some("mysql" | "mariadb")) {
            return Some(of_mysql(rest));
        }
        if scheme == "sqlite" {
            return Some(of_file(name, rest, folder));
        }
        // What stands before it may be a secret, and behind the path are the words of one request.
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // Of Azure a container stands there.
        let authority = match scheme {
            "abfs" | "abfss" | "az" => authority,
            _ => authority.rsplit('@').next().unwrap_or_default(),
        };
        let is_object = !matches!(scheme, "http" | "https");
        let path = if is_object { path.to_owned() } else { format!("/{path}") };
        return Some(DatasetName { namespace: format!("{scheme}://{authority}"), name: path });
    }
    let path = folder.join(name);
    Some(DatasetName { namespace: "file".to_owned(), name: path.to_string_lossy().into_owned() })
}

/// A table that is a source, `USER@HOST:PORT/DATABASE?table=NAME`; of a query the database. Words of a query
/// may be values.
fn of_word(word: &str) -> DatasetName {
    let (place, _) = word.split_once('?').unwrap_or((word, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let server = authority.rsplit('@').next().unwrap_or_default();
    let server = server.split(',').next().unwrap_or_default();
    let host = if server.is_empty() { "localhost" } else { server };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let namespace = if has_port { format!("postgres://{host}") } else { format!("postgres://{host}:5432") };
    let table = table_of(word).map_or_else(String::new, |table| {
        let schema = if table.contains('.') { "" } else { "public." };
        format!(".{schema}{table}")
    });
    DatasetName { namespace, name: format!("{database}{table}") }
}

/// A table of MySQL, `USER@HOST:PORT/DATABASE?table=NAME`; of a query the database.
fn of_mysql(word: &str) -> DatasetName {
    let (place, _) = word.split_once('?').unwrap_or((word, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let server = authority.rsplit('@').next().unwrap_or_default();
    let host = if server.is_empty() { "localhost" } else { server };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let namespace = if has_port { format!("mysql://{host}") } else { format!("mysql://{host}:3306") };
    let name = match table_of(word) {
        Some(table) if table.contains('.') => table,
        Some(table) => format!("{database}.{table}"),
        None => database.to_owned(),
    };
    DatasetName { namespace, name }
}

/// A table of a file, `FILE?table=NAME`; of a query the file.
fn of_file(word: &str, rest: &str, folder: &Path) -> DatasetName {
    let path = rest.split('?').next().unwrap_or_default();
    let file = folder.join(percent_decode_str(path).decode_utf8_lossy().as_ref());
    let table = table_of(word).map_or_else(String::new, |table| format!(".{table}"));
    DatasetName { namespace: "file".to_owned(), name: format!("{}{table}", file.display()) }
}

/// The table that a word of a database names.
fn table_of(word: &str) -> Option<String> {
    let (_, parameters) = word.split_once('?')?;
    let name = parameters.split('&').find_map(|pair| pair.strip_prefix("table="))?;
    Some(percent_decode_str(name).decode_utf8().ok()?.into_owned())
}

/// What a load is called that no job file names: by its table, as far as the command says it.
pub(super) fn of_load(table: Option<&str>, source: Option<&str>) -> String {
    let of_table = source
        .filter(|source| ["postgres", "mysql", "mariadb", "sqlite"].iter().any(|of| source.starts_with(of)))
        .and_then(table_of);
    let of_table = of_table.as_deref().and_then(|table| table.rsplit('.').next());
    let word = table.or(of_table).or_else(|| {
        let path = source?.split(['?', '#']).next()?;
        let file = path.trim_end_matches('/').rsplit('/').next()?;
        file.split('.').next().filter(|stem| !stem.is_empty())
    });
    format!("dbload.{}", word.unwrap_or("load"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasets_are_called_as_other_tools_call_them() {
        let table = |database: &str| of_table(database, "public.t");
        let is = |namespace: &str, name: &str| DatasetName { namespace: namespace.into(), name: name.into() };
        assert_eq!(table("db.example:5433/shop"), is("postgres://db.example:5433", "shop.public.t"));
        assert_eq!(table("/run/postgresql:5432/shop"), is("postgres://localhost:5432", "shop.public.t"));
        assert_eq!(table("a:1,b:2/shop"), is("postgres://a:1", "shop.public.t"));
        let source = |name: &str| of_source(name, Path::new("/data"));
        assert_eq!(source("a/b.csv"), Some(is("file", "/data/a/b.csv")));
        assert_eq!(source("/x/b.csv"), Some(is("file", "/x/b.csv")));
        assert_eq!(source("s3://bucket/a/b.csv"), Some(is("s3://bucket", "a/b.csv")));
        assert_eq!(source("https://u:p@h:8/a/b?key=1#x"), Some(is("https://h:8", "/a/b")));
        assert_eq!(source("-"), None);
        assert_eq!(source("sqlite://my%20shop.db?table=t"), Some(is("file", "/data/my shop.db.t")));
        assert_eq!(source("sqlite:///x/a.db?query=SELECT%20'canary'"), Some(is("file", "/x/a.db")));
        let of = "postgres://u:p@h/shop?table=raw.t&sslmode=require";
        assert_eq!(source(of), Some(is("postgres://h:5432", "shop.raw.t")));
        assert_eq!(
            source("postgres:///shop?table=t"),
            Some(is("postgres://localhost:5432", "shop.public.t"))
        );
        let of = "mysql://u:p@h/shop?ssl-mode=REQUIRED&table=orders";
        assert_eq!(source(of), Some(is("mysql://h:3306", "shop.orders")));
        let of = "mariadb://h:3307/?table=shop.orders";
        assert_eq!(source(of), Some(is("mysql://h:3307", "shop.orders")));
        assert_eq!(source("mysql://h/shop?query=SELECT%20'canary'"), Some(is("mysql://h:3306", "shop")));
        let of = "postgresql://h:5433/shop?query=SELECT%20'canary'";
        assert_eq!(source(of), Some(is("postgres://h:5433", "shop")));
    }

    #[test]
    fn a_load_has_the_name_that_it_had_yesterday() {
        assert_eq!(of_load(Some("raw.t"), Some("x.csv")), "dbload.raw.t");
        assert_eq!(of_load(None, Some("in/orders.csv.gz")), "dbload.orders");
        assert_eq!(of_load(None, Some("https://h/v1/items?key=1")), "dbload.items");
        assert_eq!(of_load(None, Some("postgres://h/shop?table=raw.items")), "dbload.items");
        assert_eq!(of_load(None, None), "dbload.load");
    }
}
