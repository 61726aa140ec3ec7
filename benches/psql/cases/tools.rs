//! Other loaders, where they are installed: sling and dlt, each as its own documentation has an upsert of a
//! file.
//!
//! They are measured as they are: a table of their own making counts, and what they make of the values is
//! said, not judged.

use super::{COLUMNS, Case, FRESH, Program, Way, dbload, staged};
use crate::{Outcome, data::Data, note};
use std::{env, ffi::OsString, fs, path::PathBuf, process::Command};

/// dlt's program: records as dictionaries, merged by key.
const DLT: &str = r#"
import csv, sys
import dlt

def orders():
    with open(sys.argv[1], newline="") as file:
        yield from csv.DictReader(file)

resource = dlt.resource(
    orders, name="orders", primary_key="o_orderkey",
    write_disposition={"disposition": "merge", "strategy": "upsert"},
)
dlt.pipeline(
    pipeline_name="bench", pipelines_dir=sys.argv[3], dataset_name="dlt_bench",
    # It insists on a password, which the server does not ask for.
    destination=dlt.destinations.postgres(sys.argv[2].replace("postgres@", "postgres:none@")),
).run(resource)
"#;

/// Its own table, whatever types it has chosen, as that of orders.
const DLT_TABLE: &str = "(SELECT o_orderkey::text::bigint, o_custkey::text::bigint, o_orderstatus::char(1), \
    o_totalprice::text::decimal(15,2), o_orderdate::text::date, o_orderpriority::char(15), o_clerk::char(15), \
    o_shippriority::text::integer, o_comment::varchar(79) FROM dlt_bench.orders)";

/// One case with those that are there; none where none is.
pub(super) fn case(data: &Data) -> Outcome<Option<Case>> {
    let csv = data.file("orders.csv");
    let mut tools = Vec::new();
    match found("sling", "SLING_BINARY") {
        Some(sling) => {
            let file = format!("file://{}", csv.display());
            let words = [
                "run",
                "--src-stream",
                &file,
                "--tgt-conn",
                "{dsn}?sslmode=disable",
                "--tgt-object",
                "public.orders",
            ];
            let mode = ["--mode", "incremental", "--primary-key", "o_orderkey"];
            let command =
                std::iter::once(sling.into()).chain(words.iter().chain(&mode).map(Into::into)).collect();
            tools.push(Way::new("sling, CSV", FRESH, Program::Tool(command)));
        }
        None => note("sling is not on PATH (or in SLING_BINARY): left out"),
    }
    // The Python whose dlt it is: a virtual environment's comes first on PATH.
    let python = found("python3", "DLT_PYTHON").filter(|python| {
        Command::new(python)
            .args(["-c", "import dlt, psycopg2"])
            .output()
            .is_ok_and(|output| output.status.success())
    });
    match python {
        Some(python) => {
            let script = Data::dir().join("dlt-bench.py");
            fs::write(&script, DLT)?;
            let state = Data::dir().join("dlt-state");
            let prepare = "DROP SCHEMA IF EXISTS dlt_bench CASCADE;\nDROP SCHEMA IF EXISTS dlt_bench_staging CASCADE;\n";
            let command: Vec<OsString> =
                vec![python.into(), script.into(), csv.clone().into(), "{dsn}".into(), state.into()];
            tools.push(Way::new("dlt, CSV", prepare, Program::Tool(command)).check(DLT_TABLE, "base.orders"));
        }
        None => note("no python3 on PATH (or in DLT_PYTHON) has dlt and psycopg2: left out"),
    }
    if tools.is_empty() {
        return Ok(None);
    }
    let mut ways = vec![
        Way::new("psql staged, CSV", FRESH, staged("orders", &csv, COLUMNS, "o_orderkey")),
        Way::new("dbload, CSV", FRESH, dbload("orders", &csv, &[])).target(0.45),
    ];
    ways.extend(tools);
    Ok(Some(Case::new("other loaders, fresh", ways)))
}

/// What those that are there say of themselves.
pub(crate) fn versions() -> String {
    let says = |program: Option<PathBuf>, words: &[&str]| {
        let output =
            Command::new(program?).args(words).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let sling = says(found("sling", "SLING_BINARY"), &["--version"]).map(|words| format!("sling: {words}"));
    let dlt = says(found("python3", "DLT_PYTHON"), &["-c", "import dlt; print('dlt', dlt.__version__)"]);
    let there: Vec<String> = [sling, dlt].into_iter().flatten().collect();
    if there.is_empty() { "none is installed".to_owned() } else { there.join(", ") }
}

/// A program: where a variable says, else on PATH.
fn found(name: &str, variable: &str) -> Option<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        return Some(path.into());
    }
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}
