//! What monitoring reads: checked by Prometheus' own tool, and collected by the real node exporter. Both are
//! Debian packages (prometheus, prometheus-node-exporter); where they are missing, it is said.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Scene;
use crate::support::api::{Api, Reply};

/// A program of this machine, if it has it.
fn is_here(name: &str) -> bool {
    let is_here = Command::new(name).arg("--version").output().is_ok();
    if !is_here {
        println!("no {name} here: what it would say of the metrics is not known");
    }
    is_here
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What is served there, once it is what is wanted.
#[track_caller]
fn served<T>(what: &str, port: u16, path: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
    let began = Instant::now();
    let mut last = None;
    while began.elapsed() < Duration::from_secs(60) {
        last = get(port, path);
        if let Some(found) = last.as_deref().and_then(&wanted) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}: {last:?}");
}

/// The real node exporter, collecting this folder.
fn exporter(scene: &Scene, folder: &Path, port: u16) -> Server {
    let child = Command::new("prometheus-node-exporter")
        .args(["--collector.disable-defaults", "--collector.textfile"])
        .arg(format!("--collector.textfile.directory={}", folder.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(scene.cwd().join("exporter.log")).unwrap())
        .spawn();
    Server(child.unwrap())
}

#[test]
fn files_of_two_jobs_are_good_for_promtool_and_collected_together_by_node_exporter() {
    let scene = Scene::new();
    let folder = scene.cwd().join("collected");
    std::fs::create_dir(&folder).unwrap();
    for (job, records) in [("one", 3), ("two", 5)] {
        scene.file(
            &format!("{job}.jsonl"),
            (0..records).map(|id| format!("{{\"id\":{id}}}\n")).collect::<String>(),
        );
        scene.file(
            &format!("{job}.toml"),
            format!("name = \"{job}\"\n[load.{job}]\nsource = \"{job}.jsonl\"\nkey = [\"id\"]\n"),
        );
        let line = format!("run {job}.toml --metrics-file collected/{job}.prom");
        scene.plain(&line).run().exits(0);
    }
    if is_here("promtool") {
        for job in ["one", "two"] {
            let text = std::fs::File::open(folder.join(format!("{job}.prom"))).unwrap();
            let checked = Command::new("promtool").args(["check", "metrics"]).stdin(text).output().unwrap();
            let said = [checked.stderr, checked.stdout].concat();
            assert!(checked.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
        }
    }
    scene.plain("run one.toml --metrics-file one.txt").run().exits(2).says(".prom");
    if !is_here("prometheus-node-exporter") {
        return;
    }
    let port = free_port();
    let _exporter = exporter(&scene, &folder, port);
    let text = served("node exporter", port, "/metrics", |text| {
        text.contains("node_textfile_scrape_error").then(|| text.to_owned())
    });
    let log = scene.folder.read("exporter.log");
    assert!(!log.contains("level=error"), "{log}");
    for sample in [
        "node_textfile_scrape_error 0".to_owned(),
        "dbload_load_records{job_name=\"one\",load=\"one\",outcome=\"inserted\"} 3".to_owned(),
        "dbload_load_records{job_name=\"two\",load=\"two\",outcome=\"inserted\"} 5".to_owned(),
        format!("dbload_build_info{{job_name=\"one\",version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample}: {text}");
    }
    for name in [
        "dbload_job_last_run_cpu_seconds",
        "dbload_job_last_run_duration_seconds",
        "dbload_job_last_run_max_resident_bytes",
    ] {
        let of = format!("{name}{{job_name=\"two\"}} ");
        let value =
            text.lines().find_map(|line| line.strip_prefix(&of)).map(|value| value.parse::<f64>().unwrap());
        assert!(value > Some(0.0), "{name}: {text}");
    }
}

/// The queries of docs/observability.md, as they stand there.
fn queries() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("| question | PromQL |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let row = |line: &str| {
        let (question, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
        let query = rest.split('`').nth(1)?.replace("\\|", "|");
        Some((question.to_owned(), query))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn a_dashboard_is_built_from_the_textfile_alone() {
    let queries = queries();
    assert!(queries.len() >= 10, "{queries:?}");
    let scene = Scene::new();
    let folder = scene.cwd().join("collected");
    std::fs::create_dir(&folder).unwrap();
    let api = Api::serve(|_| Reply::json("[{\"id\":1},{\"id\":2}]"));
    scene.file(
        "night.toml",
        format!(
            "name = \"night\"\n[load.good]\nsource = \"good.jsonl\"\nkey = [\"id\"]\n\
             [load.web]\nsource = \"{}?since={{watermark}}\"\nkey = [\"id\"]\nwatermark = {{ field = \"id\", initial = 0 }}\n\
             [load.some]\nsource = \"some.jsonl\"\nkey = [\"id\"]\non_rejects = \"warn\"\n\
             [load.bad]\nsource = \"no-such.jsonl\"\nkey = [\"id\"]\n",
            api.url("/web")
        ),
    );
    let lines = |rejected: u64| {
        let line = |id: u64| if id < rejected { "{\n".to_owned() } else { format!("{{\"id\":{id}}}\n") };
        (0..20).map(line).collect::<String>()
    };
    scene.file("good.jsonl", lines(0));
    scene.file("some.jsonl", lines(5));
    scene.plain("run night.toml --metrics-file collected/night.prom").run().exits(4);
    let text = scene.folder.read("collected/night.prom");
    assert!(text.contains("dbload_load_max_requests_in_flight{job_name=\"night\",load=\"web\"} "), "{text}");
    if !is_here("prometheus-node-exporter") || !is_here("prometheus") {
        return;
    }
    let (exporter_port, port) = (free_port(), free_port());
    let _exporter = exporter(&scene, &folder, exporter_port);
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: node\n  static_configs: [{{targets: ['127.0.0.1:{exporter_port}']}}]\n"
    );
    let config = scene.file("prometheus.yml", config);
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", scene.cwd().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _prometheus = Server(prometheus.unwrap());
    let ask = |query: &str| {
        let path: String = url::form_urlencoded::Serializer::new("/api/v1/query?".to_owned())
            .append_pair("query", query)
            .finish();
        served(query, port, &path, |text| {
            let (_, body) = text.split_once("\r\n\r\n")?;
            let answer: Value = serde_json::from_str(body).ok()?;
            let result = answer.pointer("/data/result")?.as_array()?.clone();
            // Empty at first: nothing is collected yet.
            (!result.is_empty()).then_some(result)
        })
    };
    let value = |of: &Value| of["value"][1].as_str().unwrap().parse::<f64>().unwrap();
    let of = |result: &[Value], load: &str| {
        let found = result.iter().find(|one| one["metric"]["load"] == load);
        found.map(value)
    };
    // The one that nobody is late for is empty by right.
    for (question, query) in queries.iter().filter(|(question, _)| question != "who is late") {
        let result = ask(query);
        match question.as_str() {
            "how fresh is it" => {
                assert!(of(&result, "good").is_some_and(|age| (0.0..600.0).contains(&age)), "{result:?}");
                assert_eq!(of(&result, "bad"), None, "it never came to a good end");
            }
            "did the last run fail" => assert_eq!((of(&result, "bad"), result.len()), (Some(1.0), 1)),
            "share of loads that are well" => assert!((value(&result[0]) - 0.75).abs() < 1e-9, "{result:?}"),
            "share of rejects" => {
                assert_eq!((of(&result, "some"), of(&result, "good")), (Some(0.25), Some(0.0)), "{result:?}");
            }
            "how long it took" => assert!(of(&result, "good") >= Some(0.0)),
            "up to where it has come" => assert_eq!(of(&result, "web"), Some(2.0)),
            _ => assert!(!result.is_empty(), "{question}"),
        }
    }
    let late = &queries.iter().find(|(question, _)| question == "who is late").unwrap().1;
    let result = ask(&late.replace("26 * 3600", "-1"));
    assert_eq!(result.len(), 3, "with a limit that all are beyond: {result:?}");
}
