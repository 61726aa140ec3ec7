//! What monitoring reads: checked by Prometheus' own tool, and collected by the real node exporter. Both are
//! Debian packages (prometheus, prometheus-node-exporter); where they are missing, it is said.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::Scene;

/// A program of this machine, if it has it.
fn is_here(name: &str) -> bool {
    let is_here = Command::new(name).arg("--version").output().is_ok();
    if !is_here {
        println!("no {name} here: what it would say of the metrics is not known");
    }
    is_here
}

struct Exporter(Child);

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
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
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let exporter = Command::new("prometheus-node-exporter")
        .args(["--collector.disable-defaults", "--collector.textfile"])
        .arg(format!("--collector.textfile.directory={}", folder.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(scene.cwd().join("exporter.log")).unwrap())
        .spawn()
        .unwrap();
    let _exporter = Exporter(exporter);
    let began = Instant::now();
    let text = loop {
        match get(port).filter(|text| text.contains("node_textfile_scrape_error")) {
            Some(text) => break text,
            None if began.elapsed() < Duration::from_secs(30) => {
                std::thread::sleep(Duration::from_millis(50))
            }
            None => panic!("node exporter says nothing"),
        }
    };
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
    for name in ["dbload_job_last_run_cpu_seconds", "dbload_job_last_run_max_resident_bytes"] {
        let of = format!("{name}{{job_name=\"two\"}} ");
        let value =
            text.lines().find_map(|line| line.strip_prefix(&of)).map(|value| value.parse::<f64>().unwrap());
        assert!(value > Some(0.0), "{name}: {text}");
    }
}
