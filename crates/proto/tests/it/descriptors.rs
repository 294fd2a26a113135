//! What a release promised stays: no message, field, value or RPC goes, none changes its number or
//! its type. The descriptor set of every release lies in `proto/descriptors/`.

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Asks to write the set of the present release (`cargo xtask gen`).
const UPDATE: &str = "STOA_UPDATE_PRINTED";

/// Everything that others may rely on, by its name, with what must not change about it.
type Promises = BTreeMap<String, String>;

fn promises(set: &FileDescriptorSet) -> Promises {
    let mut found = Promises::new();
    for file in &set.file {
        let package = file.package();
        for message in &file.message_type {
            add_message(&mut found, package, message);
        }
        for one in &file.enum_type {
            add_enum(&mut found, package, one);
        }
        for service in &file.service {
            for method in &service.method {
                let name = format!("rpc /{package}.{}/{}", service.name(), method.name());
                found.insert(name, signature(method));
            }
        }
    }
    found
}

fn add_message(found: &mut Promises, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    for field in &message.field {
        let oneof = field
            .oneof_index
            .filter(|_| !field.proto3_optional())
            .map_or("", |i| message.oneof_decl[i as usize].name());
        found.insert(
            format!("field {name}.{}", field.name()),
            format!("{} = {} {oneof}", kind(field), field.number()),
        );
    }
    for inner in &message.nested_type {
        add_message(found, &name, inner);
    }
    for one in &message.enum_type {
        add_enum(found, &name, one);
    }
    found.insert(format!("message {name}"), String::new());
}

fn add_enum(found: &mut Promises, scope: &str, one: &EnumDescriptorProto) {
    let name = format!("{scope}.{}", one.name());
    for value in &one.value {
        found.insert(
            format!("value {name}.{}", value.name()),
            value.number().to_string(),
        );
    }
    found.insert(format!("enum {name}"), String::new());
}

fn kind(field: &FieldDescriptorProto) -> String {
    let repeated = if field.label() == Label::Repeated {
        "repeated "
    } else {
        ""
    };
    let kind = match field.r#type() {
        Type::Message | Type::Enum | Type::Group => field.type_name().to_owned(),
        scalar => scalar.as_str_name().to_owned(),
    };
    format!("{repeated}{kind}")
}

fn signature(method: &MethodDescriptorProto) -> String {
    let stream = |yes| if yes { "stream " } else { "" };
    format!(
        "{}{} -> {}{}",
        stream(method.client_streaming()),
        method.input_type(),
        stream(method.server_streaming()),
        method.output_type(),
    )
}

/// What `old` promised and `new` does not keep.
fn broken(old: &FileDescriptorSet, new: &FileDescriptorSet) -> Vec<String> {
    let new = promises(new);
    promises(old)
        .into_iter()
        .filter_map(|(name, was)| match new.get(&name) {
            None => Some(format!("{name} is gone")),
            Some(is) if *is != was => Some(format!("{name} was {was:?} and is {is:?}")),
            Some(_) => None,
        })
        .collect()
}

fn present() -> FileDescriptorSet {
    FileDescriptorSet::decode(stoa_proto::DESCRIPTORS).unwrap()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../proto/descriptors")
}

fn released(path: &std::path::Path) -> FileDescriptorSet {
    FileDescriptorSet::decode(&*std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn no_promise_of_a_release_is_broken() {
    let mut releases = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "bin") {
            continue;
        }
        let broken = broken(&released(&path), &present());
        assert!(broken.is_empty(), "{}: {broken:#?}", path.display());
        releases += 1;
    }
    assert!(releases > 0);
}

#[test]
fn the_set_of_this_release_is_written_down() {
    let name = concat!(
        "v",
        env!("CARGO_PKG_VERSION_MAJOR"),
        ".",
        env!("CARGO_PKG_VERSION_MINOR"),
        ".bin"
    );
    let path = folder().join(name);
    if std::env::var_os(UPDATE).is_some() {
        if path.exists() {
            let broken = broken(&released(&path), &present());
            assert!(broken.is_empty(), "{broken:#?}");
        }
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, stoa_proto::DESCRIPTORS).unwrap();
    }
    assert!(path.exists(), "run `cargo xtask gen`: {}", path.display());
}

#[test]
fn every_kind_of_break_is_seen_and_additions_are_none() {
    let old = present();
    let users = |set: &FileDescriptorSet| {
        let is_users = |file: &prost_types::FileDescriptorProto| file.package() == "stoa.users.v1";
        set.file.iter().position(is_users).unwrap()
    };
    let at = users(&old);
    type Change = fn(&mut prost_types::FileDescriptorProto);
    let breaks: [(&str, Change); 8] = [
        ("message", |f| drop(f.message_type.remove(0))),
        ("field", |f| drop(f.message_type[0].field.remove(0))),
        ("field", |f| f.message_type[0].field[0].number = Some(500)),
        ("field", |f| {
            f.message_type[0].field[0].name = Some("renamed".into());
        }),
        ("field", |f| {
            f.message_type[0].field[0].set_type(Type::Fixed64);
        }),
        ("field", |f| {
            let repeated = f.message_type[0].field[0].label() == Label::Repeated;
            let other = if repeated {
                Label::Optional
            } else {
                Label::Repeated
            };
            f.message_type[0].field[0].set_label(other);
        }),
        ("rpc", |f| drop(f.service[0].method.remove(0))),
        ("rpc", |f| {
            f.service[0].method[0].output_type = Some(".x.Y".into())
        }),
    ];
    for (i, (kind, change)) in breaks.into_iter().enumerate() {
        let mut new = old.clone();
        change(&mut new.file[at]);
        let broken = broken(&old, &new);
        assert!(
            broken.iter().any(|b| b.starts_with(kind)),
            "{i}: {broken:?}"
        );
    }
    let with_enum = old
        .file
        .iter()
        .position(|f| !f.enum_type.is_empty())
        .unwrap();
    let mut new = old.clone();
    new.file[with_enum].enum_type[0].value.pop();
    assert_eq!(broken(&old, &new).len(), 1);

    let mut more = old.clone();
    let file = &mut more.file[at];
    let mut field = file.message_type[0].field[0].clone();
    field.name = Some("added".into());
    field.number = Some(501);
    file.message_type[0].field.push(field);
    let mut method = file.service[0].method[0].clone();
    method.name = Some("Added".into());
    file.service[0].method.push(method);
    assert_eq!(broken(&old, &more), Vec::<String>::new());
    assert_eq!(broken(&more, &old).len(), 2);
}
