//! XML: elements as records, by `--records //item` or below the root; what makes it dangerous is refused.

use std::time::Duration;

use crate::rows;
use crate::support::api::{Api, Reply};
use crate::support::{Scene, audit, until};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, s text)";

fn stored(scene: &Scene) -> Vec<String> {
    scene.db.lines("SELECT * FROM t ORDER BY id")
}

#[test]
fn elements_are_records_with_attributes_children_and_texts() {
    let scene = Scene::new();
    scene.file(
        "orders.xml",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<!DOCTYPE orders SYSTEM \"orders.dtd\">\n<!-- <order/> -->\n\
         <orders xmlns:x=\"urn:x\" at=\"now\">\n <meta><by>me</by></meta>\n\
         <order id=\"1\"><name>M\u{fc}ller &amp; S\u{f6}hne &lt;&#8364;&gt;</name><price>2.50</price>\
         <tag>a</tag><tag>b,c</tag><ship to=\"x\"><city>K\u{f6}ln</city></ship><x:note><![CDATA[<b> & </b>]]></x:note></order>\n\
         <order id=\"2\"><name/><price>3</price><tag>d</tag><more>x<order id=\"9\"/></more></order>\n\
         </orders>\n<!-- end -->"
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect::<Vec<u8>>(),
    );
    let outcome = scene.load("orders.xml --records //order --map @id=id --table t --key id");
    assert_eq!(outcome.rows(), rows!(read: 2, inserted: 2));
    let columns = "id, name, price, tag, ship->>'@to', ship->>'city', \"x:note\", more->'order'->>'@id'";
    assert_eq!(
        scene.db.lines(&format!("SELECT {columns} FROM t ORDER BY id")),
        [
            "1|M\u{fc}ller & S\u{f6}hne <\u{20ac}>|2.50|[\"a\", \"b,c\"]|x|K\u{f6}ln|<b> & </b>|NULL",
            "2|NULL|3|\"d\"|NULL|NULL|NULL|9",
        ]
    );
    assert_eq!(
        scene.db.one("SELECT pg_typeof(id)::text || pg_typeof(price) FROM t LIMIT 1"),
        "bigintnumeric"
    );
    // From the root on, and an array of texts.
    scene.sql("CREATE TABLE u (id int PRIMARY KEY, tag text[], name text)");
    // One alone is a text, which is no array.
    scene
        .run("orders.xml --format xml --records /orders/order --map @id=id --extra ignore --table u")
        .exits(3);
    assert_eq!(scene.db.one("SELECT tag FROM u WHERE id = 1"), "{a,\"b,c\"}");
}

#[test]
fn without_a_path_the_children_of_the_root_are_the_records_and_a_wrong_path_is_said() {
    let scene = Scene::with(T);
    scene
        .file("a.xml", "\u{feff}<rows><row><id>1</id><s>a</s></row>\n<row><id>2</id><s> b </s></row></rows>");
    assert_eq!(scene.load("a.xml --table t").rows(), rows!(read: 2, inserted: 2));
    assert_eq!(stored(&scene), ["1|a", "2| b "]);
    scene
        .run("a.xml --records //item --table t")
        .exits(4)
        .says("found no element at \"//item\"")
        .says("--records //NAME says which elements are the records; it has rows, rows/row");
    scene.file("none.xml", "<rows/>");
    assert_eq!(scene.load("none.xml --table t").rows(), rows!(read: 0));
    // A page for people is none, and a folder's XML is beside its data.
    scene.file("page.xml", "<?xml version=\"1.0\"?>\n<!DOCTYPE html><html><body/></html>");
    scene.run("page.xml --table t").exits(4).says("an HTML or XML page").says("XML of records: --format xml");
    scene.file("d/a.csv", "id,s\n7,x\n");
    scene.file("d/meta.xml", "<a><b/></a>");
    scene.load("d --table t").says("\"meta.xml\" of d is left out");
    assert_eq!(scene.db.count("t"), 3);
}

#[test]
fn a_record_that_is_malformed_is_a_reject_with_its_place() {
    let scene = Scene::with(T);
    scene.file(
        "a.xml",
        "<r>\n<i><id>1</id></i>\n<i><id>2</id><s>&who;</s></i>\n<i><id>x</id></i>\n<i><id>4</s></i>\n<i>\n<id>5</id></i></r>",
    );
    let outcome = scene.run("a.xml --table t").exits(3).says("a.xml:3").says("entities are not read");
    assert_eq!(outcome.rows(), rows!(read: 5, inserted: 2, rejected: 3));
    assert_eq!(stored(&scene), ["1|NULL", "5|NULL"]);
    let lines: Vec<u64> = outcome.report().rejected(scene.cwd()).iter().map(|reject| reject.line).collect();
    assert_eq!(lines, [3, 4, 5]);
}

#[test]
fn what_makes_much_of_little_or_names_files_is_refused() {
    let scene = Scene::with(T);
    let laughs = "<!DOCTYPE r [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><r><i><s>&b;</s></i></r>";
    let file = "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r><i><s>&x;</s></i></r>";
    for text in [laughs, file] {
        scene.file("a.xml", text);
        scene
            .run("a.xml --table t")
            .exits(4)
            .says("entities are not read")
            .says("xmllint --noent --dropdtd FILE");
    }
    let deep = "<a>".repeat(2000);
    scene.file("deep.xml", &deep);
    scene.run("deep.xml --records //b --table t").exits(4).says("nested too deep");
    for (text, words) in [
        (format!("<r><i>{deep}"), "ends inside the record"),
        (format!("<r><i {}", "x".repeat(3 << 20)), "longer than a record may be"),
        ("<r><i><id>1</id></i>".to_owned(), "ends before its root element does"),
        ("<r><i><id>1".to_owned(), "ends inside the record that begins here (line 1, byte 3)"),
        ("<r></x></r>".to_owned(), "the end of an element that is not open"),
        ("<r></r><r/>".to_owned(), "a second root element"),
        ("<r/> text".to_owned(), "text around the root element"),
        ("text <r/>".to_owned(), "text around the root element"),
    ] {
        scene.file("a.xml", text);
        scene.run("a.xml --table t --max-record-bytes 1MiB --restart").exits(4).says(words);
    }
    scene.file("a.xml", "text <r/>");
    scene.run("a.xml --table t --restart").exits(4).says("a fragment needs a root element around it");
    // Nested deeper than a value may be: one reject. Longer than a record may be: one too.
    scene.sql("TRUNCATE t");
    let nested = format!("{}{}", "<a>".repeat(1500), "</a>".repeat(1500));
    let long = "y".repeat(3 << 20);
    scene.file("b.xml", format!("<r><i>{nested}</i><i><s>{long}</s></i><i><id>3</id></i></r>"));
    let outcome = scene.run("b.xml --table t --max-record-bytes 1MiB").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 1, rejected: 2));
    // A tag that no record can hold.
    scene.file("c.xml", format!("<r><i a=\"{long}\"/></r>"));
    scene
        .run("c.xml --table t --max-record-bytes 1MiB")
        .exits(4)
        .says("longer than a record may be")
        .says("--max-record-bytes allows longer ones");
}

#[test]
fn a_load_of_xml_goes_on_after_a_kill_and_comes_from_a_server_too() {
    let items: String = (0..20_000).map(|i| format!("<item id=\"{i}\"><s>v{i}</s></item>\n")).collect();
    let text = format!("<feed><items>{items}</items></feed>");
    let served = text.clone().into_bytes();
    let api = Api::serve(move |ask| Reply::file(ask, served.clone(), "\"v1\""));
    let scene = Scene::with(&format!(
        "{T}; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()"
    ));
    scene.file("a.xml", text);
    for source in ["a.xml".to_owned(), api.url("/feed")] {
        let words = "--records //item --map @id=id --table t --batch-rows 500 --pool-size 2";
        let command = || scene.dbload(&format!("{source} {words}"));
        let running = command().spawn();
        until("rows are stored", || scene.db.count("t") > 2_000);
        running.kill9_after(Duration::ZERO);
        assert!(scene.db.count("t") < 20_000);
        let outcome = command().run().exits(0).says("resum");
        assert_eq!(outcome.rows(), rows!(read: 20_000, inserted: 20_000), "{source}");
        assert_eq!(audit(&scene.db), outcome.rows());
        assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE s = 'v' || id"), "20000");
        scene.sql("TRUNCATE t; DROP SCHEMA _dbload CASCADE");
    }
}
