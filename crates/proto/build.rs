//! Compiles proto/ into Rust and writes the access table from the options of the methods.

use prost_reflect::{DynamicMessage, Value};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn proto_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            proto_files(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.join("stoa").display());
    let mut files = Vec::new();
    proto_files(&root, &mut files)?;

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files)?;
    let pool = compiler.descriptor_pool();
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(compiler.file_descriptor_set())?;

    let access = pool
        .get_extension_by_name("stoa.access.v1.access")
        .ok_or("no access option")?;
    let mut table = String::from("&[\n");
    let mut paths = Vec::new();
    for service in pool.services() {
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            let options = method.options();
            paths.push(path.clone());
            if !options.has_extension(&access) {
                continue; // the test `every_method_has_an_action` names it
            }
            let Value::Message(option) = options.get_extension(&access).into_owned() else {
                return Err("the access option is no message".into());
            };
            writeln!(
                table,
                "    {},",
                entry(&path, method.is_server_streaming(), &option)?
            )?;
        }
    }
    table.push_str("]\n");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("access_table.rs"), table)?;
    std::fs::write(out.join("method_paths.rs"), format!("&{paths:?}\n"))?;
    // Comments are for the generated code only.
    let mut bare = protox::Compiler::new([&root])?;
    bare.include_imports(true).open_files(&files)?;
    let descriptors = bare.encode_file_descriptor_set();
    std::fs::write(out.join("stoa.descriptors.bin"), descriptors)?;
    Ok(())
}

fn entry(
    path: &str,
    streaming: bool,
    option: &DynamicMessage,
) -> Result<String, Box<dyn std::error::Error>> {
    let field = |name: &str| {
        option
            .get_field_by_name(name)
            .map(std::borrow::Cow::into_owned)
    };
    let action = field("action")
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default();
    let command = field("class").and_then(|v| v.as_enum_number()) == Some(2);
    let mut callers = String::new();
    if let Some(Value::List(names)) = field("callers") {
        for name in &names {
            write!(callers, "{:?}, ", name.as_str().unwrap_or_default())?;
        }
    }
    Ok(format!(
        "Method {{ path: {path:?}, action: {action:?}, class: Class::{}, streaming: {streaming}, callers: &[{callers}] }}",
        if command { "Command" } else { "Read" },
    ))
}
