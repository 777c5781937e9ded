//! The C header says what the Rust structs say: a C program prints every size, offset and number, and they are compared.
//! The header also compiles as C99 and as C++. Needs `cc` and `c++`.

use std::collections::BTreeMap;
use std::fs;
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam_abi::*;

/// One C type, its size, and its fields with their offsets.
struct Layout {
    c_type: &'static str,
    size: usize,
    fields: Vec<(&'static str, usize)>,
}

macro_rules! layout {
    ($c_type:literal, $rust:ty, [$($field:ident),* $(,)?]) => {
        Layout {
            c_type: $c_type,
            size: size_of::<$rust>(),
            fields: vec![$((stringify!($field), offset_of!($rust, $field))),*],
        }
    };
}

fn layouts() -> Vec<Layout> {
    vec![
        layout!("cofferdam_slice", Slice, [ptr, len]),
        layout!("cofferdam_sink", Sink, [context, reserve, clear]),
        layout!("cofferdam_status", Status, []),
        layout!("cofferdam_access", Access, []),
        layout!("cofferdam_level", Level, []),
        layout!("cofferdam_request", Request, [actor, operation, payload, deadline_ns]),
        layout!(
            "cofferdam_host_v1",
            HostV1,
            [
                abi_version,
                size,
                context,
                payload_bytes_max,
                call,
                completions_create,
                completions_fd,
                call_start,
                call_cancel,
                completions_next,
                completions_destroy,
                listen,
                connect,
                open_dir,
                open_file,
                log,
            ]
        ),
        layout!("cofferdam_value", Value, [name, value]),
        layout!("cofferdam_link", Link, [actor, values, value_count]),
        layout!("cofferdam_call", Call, [size, reserved, id, actor, operation, payload, deadline_ns, cancelled]),
        layout!(
            "cofferdam_provider_descriptor_v1",
            ProviderV1,
            [abi_version, size, name, concurrency, reserved, create, bind, unbind, handle, health, shutdown, destroy,]
        ),
    ]
}

fn numbers() -> Vec<(&'static str, i64)> {
    vec![
        ("COFFERDAM_ABI_VERSION", ABI_VERSION.into()),
        ("COFFERDAM_OK", Status::OK.0.into()),
        ("COFFERDAM_FAILED", Status::FAILED.0.into()),
        ("COFFERDAM_PANICKED", Status::PANICKED.0.into()),
        ("COFFERDAM_DENIED", Status::DENIED.0.into()),
        ("COFFERDAM_LATE", Status::LATE.0.into()),
        ("COFFERDAM_UNAVAILABLE", Status::UNAVAILABLE.0.into()),
        ("COFFERDAM_INVALID", Status::INVALID.0.into()),
        ("COFFERDAM_INTERNAL", Status::INTERNAL.0.into()),
        ("COFFERDAM_CANCELLED", Status::CANCELLED.0.into()),
        ("COFFERDAM_READ", Access::READ.0.into()),
        ("COFFERDAM_WRITE", Access::WRITE.0.into()),
        ("COFFERDAM_ERROR", Level::ERROR.0.into()),
        ("COFFERDAM_WARN", Level::WARN.0.into()),
        ("COFFERDAM_INFO", Level::INFO.0.into()),
        ("COFFERDAM_DEBUG", Level::DEBUG.0.into()),
    ]
}

/// What Rust says, by the words that the C program prints.
fn in_rust() -> BTreeMap<String, i64> {
    let number = |value: usize| i64::try_from(value).expect("small");
    let mut facts = BTreeMap::new();
    for Layout { c_type, size, fields } in layouts() {
        facts.insert(format!("sizeof {c_type}"), number(size));
        for (field, offset) in fields {
            facts.insert(format!("offsetof {c_type} {field}"), number(offset));
        }
    }
    facts.extend(numbers().into_iter().map(|(name, value)| (name.to_owned(), value)));
    facts
}

fn c_program() -> String {
    let mut lines = vec![
        "#include <stdio.h>".to_owned(),
        "#include \"cofferdam_provider.h\"".to_owned(),
        "int main(void) {".to_owned(),
    ];
    for Layout { c_type, fields, .. } in layouts() {
        lines.push(format!("printf(\"sizeof {c_type}=%ld\\n\", (long)sizeof({c_type}));"));
        for (field, _) in fields {
            let print = format!("\"offsetof {c_type} {field}=%ld\\n\", (long)offsetof({c_type}, {field})");
            lines.push(format!("printf({print});"));
        }
    }
    for (name, _) in numbers() {
        lines.push(format!("printf(\"{name}=%ld\\n\", (long){name});"));
    }
    lines.push("return 0; }\n".to_owned());
    lines.join("\n")
}

fn include_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// Compiles a source of these flags; returns the program.
fn compile(compiler: &str, flags: &[&str], name: &str, source: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source_path, program) = (folder.join(name), folder.join(format!("{name}.out")));
    fs::write(&source_path, source).expect("the source is written");
    let mut command = Command::new(compiler);
    command.args(flags).args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-I"]).arg(include_dir());
    let output = command.arg(&source_path).arg("-o").arg(&program).output().unwrap_or_else(|error| {
        panic!("this test needs a C compiler, and `{compiler}` did not start ({error}): install gcc and g++")
    });
    assert!(output.status.success(), "{compiler} {flags:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    program
}

#[test]
fn header_and_rust_agree() {
    let program = compile("cc", &["-std=c99"], "layout.c", &c_program());
    let output = Command::new(program).output().expect("the program runs");
    let printed = String::from_utf8(output.stdout).expect("text");
    let in_c: BTreeMap<String, i64> = printed
        .lines()
        .map(|line| line.split_once('=').expect("a fact a line"))
        .map(|(fact, value)| (fact.to_owned(), value.parse().expect("a number")))
        .collect();
    assert_eq!(in_c, in_rust());
}

/// The fields that the test lists fill the structs: none is forgotten, on either side.
#[test]
fn every_field_is_listed() {
    let header = fs::read_to_string(include_dir().join("cofferdam_provider.h")).expect("the header");
    for Layout { c_type, fields, .. } in layouts() {
        let Some((_, rest)) = header.split_once(&format!("typedef struct {c_type} {{\n")) else {
            assert!(fields.is_empty(), "{c_type} is no struct of the header");
            continue;
        };
        let body = rest.split_once(&format!("}} {c_type};")).expect("the end of the struct").0;
        assert_eq!(declarations(body), fields.len(), "{c_type}: fields in the header and in this test");
    }
}

/// Fields end in semicolons; comments may hold some too.
fn declarations(body: &str) -> usize {
    let mut code = String::new();
    for part in body.split("/*").enumerate() {
        match part {
            (0, code_only) => code.push_str(code_only),
            (_, comment) => code.push_str(comment.split_once("*/").expect("comments end").1),
        }
    }
    code.matches(';').count()
}

#[test]
fn header_compiles_as_c99_and_cplusplus() {
    let source = "#include \"cofferdam_provider.h\"\nint main(void) { return (int)COFFERDAM_OK; }\n";
    compile("cc", &["-std=c99"], "plain.c", source);
    compile("c++", &["-std=c++11"], "plain.cc", source);
}
