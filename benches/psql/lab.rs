//! The ground: one throwaway server, the tables that others are made from, and what is asked of the server.

use crate::{Outcome, Wish, cases::changed_in_big, data::Data, note, shape::Shape};
use dbload::internals::local::{Options, TempServer, cluster::url};
use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// The settings that matter for speed, beside those of a throwaway server, which come first.
const SETTINGS: [&str; 4] =
    ["shared_buffers = 256MB", "max_wal_size = 8GB", "checkpoint_timeout = 1h", "autovacuum = off"];
/// What the page says about the server.
const SHOWN: &str = "'fsync','full_page_writes','synchronous_commit','shared_buffers','work_mem','max_wal_size',\
                     'checkpoint_timeout','autovacuum','wal_level','jit','max_parallel_workers_per_gather'";
const DATABASE: &str = "bench";
/// A backend ends after its client has; only then does its CPU time show.
const BACKEND_END: Duration = Duration::from_millis(30);

const ORDERS: &str = "(o_orderkey bigint NOT NULL, o_custkey bigint NOT NULL, o_orderstatus char(1) NOT NULL, \
    o_totalprice decimal(15,2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, \
    o_clerk char(15) NOT NULL, o_shippriority integer NOT NULL, o_comment varchar(79) NOT NULL)";
const LINEITEM: &str = "(l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, \
    l_linenumber integer NOT NULL, l_quantity decimal(15,2) NOT NULL, l_extendedprice decimal(15,2) NOT NULL, \
    l_discount decimal(15,2) NOT NULL, l_tax decimal(15,2) NOT NULL, l_returnflag char(1) NOT NULL, \
    l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL, \
    l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL)";

/// The server and its tables.
pub(crate) struct Lab {
    server: TempServer,
    psql: PathBuf,
    digests: RefCell<HashMap<String, String>>,
    pub(crate) dbload: PathBuf,
}

impl Lab {
    pub(crate) fn start(wish: &Wish) -> Outcome<Self> {
        let mut options = SETTINGS.iter().fold(Options::default(), |options, line| options.conf(line));
        if wish.fsync {
            options = options.conf("fsync = on").conf("full_page_writes = on");
        }
        if wish.statements {
            options = options.conf("shared_preload_libraries = 'pg_stat_statements'");
        }
        if wish.tools {
            // Other loaders know no sockets of files.
            options = options.tcp(0);
        }
        let server = TempServer::start(options)?;
        server.create_database(DATABASE)?;
        let psql = server.cluster().binaries.psql().ok_or("no psql is installed")?;
        let lab = Self { server, psql, digests: RefCell::default(), dbload: wish.dbload.clone() };
        if wish.statements {
            lab.sql("CREATE EXTENSION pg_stat_statements")?;
        }
        Ok(lab)
    }

    /// Loads the tables that others are made from, by psql: what they hold is what every program must arrive
    /// at.
    pub(crate) fn load_bases(&self, data: &Data, big: bool) -> Outcome<()> {
        note("loading the tables to compare with");
        let copy =
            |table: &str, file: &Path| format!("\\copy {table} FROM '{}' CSV HEADER\n", file.display());
        let mut script = format!(
            "CREATE SCHEMA base;\nCREATE TABLE base.orders {ORDERS};\nCREATE TABLE base.repeated (LIKE base.orders);\n\
             CREATE TABLE base.lineitem {LINEITEM};\nCREATE TABLE base.one (LIKE base.orders);\n\
             CREATE TABLE base.few (LIKE base.orders);\n"
        );
        for shape in &Shape::ALL {
            script += &shape.create();
            script += &copy(shape.base, &data.file(&shape.file("csv")));
            script += &format!("ALTER TABLE {} ADD PRIMARY KEY (id);\n", shape.base);
        }
        script += &copy("base.orders", &data.file("orders.csv"));
        script += &copy("base.lineitem", &data.file(&data.lines_name("csv")));
        script += &copy("base.one", &data.file("one.csv"));
        script += &copy("base.few", &data.file("few.csv"));
        // The last record of each key, as the file has them.
        script += "BEGIN;\nCREATE TEMP TABLE st (LIKE base.orders, n bigserial) ON COMMIT DROP;\n";
        script += &format!(
            "\\copy st (o_orderkey,o_custkey,o_orderstatus,o_totalprice,o_orderdate,o_orderpriority,o_clerk,o_shippriority,o_comment) \
             FROM '{}' CSV HEADER\n",
            data.file("repeated.csv").display()
        );
        script += "ALTER TABLE base.repeated ADD n bigint;\n\
                   INSERT INTO base.repeated SELECT DISTINCT ON (o_orderkey) * FROM st ORDER BY o_orderkey, n DESC;\n\
                   ALTER TABLE base.repeated DROP n;\nCOMMIT;\n\
                   ALTER TABLE base.orders ADD PRIMARY KEY (o_orderkey);\n\
                   ALTER TABLE base.few ADD PRIMARY KEY (o_orderkey);\n\
                   ALTER TABLE base.lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber);\nVACUUM ANALYZE;\n";
        self.sql(&script)?;
        if big {
            note(&format!("loading a table of {} rows", data.big));
            let mut script = "CREATE TABLE base.big (LIKE base.orders);\n".to_owned();
            script += &copy("base.big", &data.file(&data.big_name("big")));
            script += "ALTER TABLE base.big ADD PRIMARY KEY (o_orderkey);\nVACUUM ANALYZE base.big;\n";
            for table in ["contiguous", "spread"] {
                script += &format!("CREATE TABLE base.{table} (LIKE base.orders);\n");
                script += &copy(&format!("base.{table}"), &data.file(&data.big_name(table)));
            }
            // Twice, so that every program meets pages that have seen updates before. Not of the others: they
            // would leave gaps all over the table.
            script += &changed_in_big(0, "contiguous").repeat(2);
            self.sql(&script)?;
            self.expected("base.big")?;
        }
        // The first load makes the ledger: it is there on any server that is in use.
        let mut first = Command::new(&self.dbload);
        first.arg(data.file("one.csv")).args(["--table", "first", "--key", "o_orderkey", "-q", "--dsn"]);
        let output = first.arg(self.dsn()).output()?;
        if !output.status.success() {
            return Err(format!("the first load: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(())
    }

    /// Runs a script by psql and returns what it printed.
    pub(crate) fn sql(&self, script: &str) -> Outcome<String> {
        let mut psql = Command::new(&self.psql);
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d"]).arg(self.dsn());
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(script.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("{script}\n{}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Count and digest of what a table holds, in whatever order.
    pub(crate) fn digest(&self, table: &str) -> Outcome<String> {
        self.sql(&format!(
            "SELECT count(*), sum(('x' || left(md5(t::text), 16))::bit(64)::bigint) FROM {table} t"
        ))
    }

    /// The digest of a base table, asked once: before anyone changes it.
    pub(crate) fn expected(&self, base: &str) -> Outcome<String> {
        if let Some(known) = self.digests.borrow().get(base) {
            return Ok(known.clone());
        }
        let digest = self.digest(base)?;
        self.digests.borrow_mut().insert(base.to_owned(), digest.clone());
        Ok(digest)
    }

    /// Bytes of WAL written so far.
    pub(crate) fn wal(&self) -> Outcome<f64> {
        Ok(self.sql("SELECT pg_current_wal_insert_lsn() - '0/0'")?.parse()?)
    }

    /// CPU seconds of the server so far; nothing where there is no /proc.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        /// The kernel's clock tick as it shows in /proc: the same on every Linux.
        const TICKS_A_SECOND: f64 = 100.0;
        thread::sleep(BACKEND_END);
        let postmaster = self.server.cluster().postmaster()?.pid.as_raw_nonzero().to_string();
        let mut ticks = 0;
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((pid, rest)) = stat.rsplit_once(')') else { continue };
            // Behind the name: state, ppid, and in places 11 to 14 the times of itself and of its ended
            // children.
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let is_server = pid.split(' ').next() == Some(&postmaster);
            if is_server || fields.get(1) == Some(&&*postmaster) {
                let last = if is_server { 14 } else { 12 };
                ticks += fields[11..=last].iter().filter_map(|n| n.parse::<u32>().ok()).sum::<u32>();
            }
        }
        Some(f64::from(ticks) / TICKS_A_SECOND)
    }

    pub(crate) fn dsn(&self) -> String {
        self.server.dsn(DATABASE)
    }

    /// The same database over TCP, for loaders that know nothing else.
    pub(crate) fn tcp_dsn(&self) -> Outcome<String> {
        Ok(self.server.tcp_dsn(DATABASE).ok_or("the server does not listen on TCP")?)
    }

    /// The same database through another folder of sockets.
    pub(crate) fn dsn_through(&self, sockets: &Path) -> String {
        url(sockets, self.server.cluster().port, DATABASE)
    }

    /// The server's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        let cluster = self.server.cluster();
        cluster.sockets.join(format!(".s.PGSQL.{}", cluster.port))
    }

    pub(crate) fn psql(&self) -> &Path {
        &self.psql
    }

    /// What the page says about the server.
    pub(crate) fn settings(&self) -> Outcome<String> {
        self.sql(&format!(
            "SELECT 'PostgreSQL ' || current_setting('server_version') || ': ' || \
             string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings WHERE name IN ({SHOWN})"
        ))
    }

    /// What the server did since the last call, dearest first.
    pub(crate) fn statements(&self) -> Outcome<String> {
        self.sql(
            "SELECT format('%s x %s ms = %s ms, %s rows, wal %s: %s', calls, round(mean_exec_time::numeric, 2), \
             round(total_exec_time::numeric, 1), rows, wal_bytes, left(regexp_replace(query, '\\s+', ' ', 'g'), 200)) \
             FROM pg_stat_statements WHERE query !~ 'pg_stat_statements|pg_current_wal' ORDER BY total_exec_time DESC LIMIT 25;\n\
             SELECT pg_stat_statements_reset()",
        )
    }
}
