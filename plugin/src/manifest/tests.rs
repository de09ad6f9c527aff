use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Result<Vec<Manifest>, ReadError> {
    let mut manifests = Vec::new();
    parse(text, &"f".into(), &mut manifests)?;
    Ok(manifests)
}

/// `kind/name` of each object.
fn names(text: &str) -> Vec<String> {
    let text_of = |text: &Option<String>| text.clone().unwrap_or_default();
    let name = |manifest: &Manifest| {
        let Object { api_version, kind, name, .. } = &manifest.object;
        format!("{} {}/{}", text_of(api_version), text_of(kind), text_of(name))
    };
    parsed(text).unwrap().iter().map(name).collect()
}

#[test]
fn objects_are_read_in_every_form_that_kubectl_knows() {
    let object = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#;
    let list = format!(r#"{{"apiVersion":"v1","items":[{object},{object}],"kind":"List","metadata":{{}}}}"#);
    let typed = r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"a"}}]}"#;
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n";
    let yaml_list =
        "kind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n";
    let a = "v1 Pod/a".to_owned();
    for (name, text, count) in [
        ("an object", object.to_owned(), 1),
        ("a list", list.clone(), 2),
        ("a typed list", typed.to_owned(), 1),
        ("an empty list", r#"{"kind":"List","items":null}"#.to_owned(), 0),
        ("objects one after the other", format!("{object}\n{list}{object}"), 4),
        ("objects apart as those of YAML", format!("---\n{object}\n---\n{object}\n"), 2),
        ("YAML", yaml.to_owned(), 1),
        ("a list in YAML", yaml_list.to_owned(), 1),
        ("documents", format!("# c\n---\n{yaml}---\n\n---\n# nothing\n---\n{yaml_list}---\n"), 2),
        ("JSON before YAML", format!("{object}\n---\n{yaml}"), 2),
        ("Windows' line ends", format!("---\r\n{}", yaml.replace('\n', "\r\n")), 1),
        ("Windows' line ends in JSON", list.replace(',', ",\r\n"), 2),
        ("nothing", " \n---\n".to_owned(), 0),
    ] {
        assert_eq!(names(&text), vec![a.clone(); count], "{name}");
    }
    assert_eq!(names("{}"), [" /"]);
    assert_eq!(names(r#"{"kind":"AllowList","metadata":{"name":"x"}}"#), [" AllowList/x"]);
}

#[test]
fn texts_keep_their_lines_and_signs() {
    let yaml =
        "kind: ConfigMap\r\ndata:\r\n  a: |\r\n    one\r\n    two\r\n  b: \"x\\u0000y\"\r\n  c: '007'\r\n";
    let json: Value = serde_json::from_str(&parsed(yaml).unwrap()[0].object.json).unwrap();
    assert_eq!(json["data"], serde_json::json!({"a": "one\ntwo\n", "b": "x\0y", "c": "007"}));
}

#[test]
fn lists_have_numbers_of_their_own() {
    let list = r#"{"kind":"List","items":[{"kind":"A"},{"kind":"B"}]}"#;
    let numbers: Vec<usize> =
        parsed(&format!("{list}{{}}{list}")).unwrap().iter().map(|manifest| manifest.document).collect();
    assert_eq!((numbers[0], numbers[3]), (numbers[1], numbers[4]));
    assert!(numbers[1] != numbers[2] && numbers[2] != numbers[3], "{numbers:?}");
}

#[test]
fn what_is_something_else_is_told_by_line_and_never_quoted() {
    for (text, line) in [
        ("{\"kind\": \"Pod\",\n \"hunter2\"}", 2),
        ("{\"kind\": \"Pod\"}\n{\"hunter2\"", 2),
        ("hunter2", 1),
        ("- hunter2", 1),
        ("a: hunter2\n b: c\n", 2),
        ("{\"items\": [\"hunter2\"]}", 1),
        ("{\"items\": \"hunter2\"}", 1),
        ("%PDF-1.4 hunter2", 1),
    ] {
        let error = parsed(text).err().unwrap_or_else(|| panic!("{text} was read"));
        let shown = error.to_string();
        assert!(shown.contains(&format!("line {line},")), "{text}: {shown}");
        assert!(!shown.contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{shown}");
    }
}

#[test]
fn aliases_are_followed_and_never_multiply_without_bounds() {
    let shared = "a: &a {name: x}\nmetadata: *a\nkind: Pod\n";
    assert_eq!(names(shared), [" Pod/x"]);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{below}]\n");
    }
    assert!(matches!(parsed(&bomb), Err(ReadError::Malformed { .. })));
    let long = "x".repeat(1 << 20);
    let many = vec!["*a"; 2000].join(", ");
    assert!(matches!(parsed(&format!("a: &a {long}\nb: [{many}]\n")), Err(ReadError::Malformed { .. })));
    let deep = format!("{}{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    assert!(parsed(&deep).is_err());
    assert!(parsed(&format!("a: {}", "[".repeat(5000))).is_err());
}

#[test]
fn files_are_bounded_and_text() {
    let folder = std::env::temp_dir().join(format!("kubectl-reload-manifests-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let error = |name: &str, bytes: &[u8], limit: usize| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        read_text(&path, &name.into(), limit).err().map(|error| error.to_string())
    };
    assert_eq!(error("fits", b"{}", 2), None);
    assert!(error("large", b"{} ", 2).unwrap().contains("makes more than 100 MB"));
    assert!(error("utf16", b"\xff\xfe{\0}\0", 9).unwrap().contains("Out-File -Encoding utf8"));
    let path = folder.join("marked");
    std::fs::write(&path, b"\xef\xbb\xbf{}").unwrap();
    assert_eq!(read_text(&path, &"marked".into(), 9).unwrap().as_str(), "{}");
    std::fs::write(&path, "---\n").unwrap();
    assert!(matches!(read(std::slice::from_ref(&path)), Err(ReadError::Empty { .. })));
    assert!(matches!(read(&[folder.join("none")]), Err(ReadError::File { .. })));
    assert!(matches!(read(std::slice::from_ref(&folder)), Err(ReadError::File { .. })));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Objects with a few signs of another kind in them.
fn damaged() -> impl Strategy<Value = String> {
    const WHOLE: &str = "kind: List\nitems:\n- kind: Pod\n  metadata: {name: a, labels: &l {x: 'y'}}\n  data: |\n    t\n- {\"kind\": \"Secret\", b: *l}\n---\n{\"kind\":\"List\",\"items\":[{}]}\n";
    let sign = prop_oneof![
        any::<char>().prop_map(String::from),
        proptest::sample::select(vec![
            "---", "{", "}", "[", "\"", "'", "&a", "*l", "!!str", "<<: *l", "\r\n", "\t", ": ", "? ", "| "
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec((0..WHOLE.len(), sign), 0..8).prop_map(|signs| {
        let mut text = WHOLE.to_owned();
        for (position, sign) in signs {
            let position = (0..=position.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
            text.insert_str(position.unwrap_or(0), &sign);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_file_holds_it_is_read_or_refused(text in prop_oneof![any::<String>(), damaged()]) {
        if let Ok(manifests) = parsed(&text) {
            for manifest in manifests {
                prop_assert!(serde_json::from_str::<Value>(&manifest.object.json).is_ok());
            }
        }
    }
}
