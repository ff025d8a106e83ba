//! Makes small MMDB files for tests, after MaxMind's description of the format (version 2.0).

use std::net::IpAddr;

use serde_json::{Value, json};

const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
const STRING: u8 = 2;
const DOUBLE: u8 = 3;
const UINT16: u8 = 5;
const UINT32: u8 = 6;
const MAP: u8 = 7;
const INT32: u8 = 8;
const UINT64: u8 = 9;
const ARRAY: u8 = 11;
const BOOLEAN: u8 = 14;

/// Between the search tree and the data.
const SEPARATOR: usize = 16;

#[derive(Clone, Copy)]
enum MmdbValue {
    Empty,
    Node(usize),
    Data(usize),
}

/// A file that knows these networks, none of which is part of another. `record_size` is 24, 28 or 32.
pub(crate) fn mmdb(ip_version: u8, record_size: usize, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[MmdbValue::Empty; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        insert(&mut nodes, &bits(network, ip_version), data.len());
        encode(value, &mut data);
    }
    let mut file: Vec<u8> = nodes.iter().flat_map(|node| pack(*node, nodes.len(), record_size)).collect();
    file.extend([0; SEPARATOR]);
    file.extend(data);
    file.extend(MARKER);
    control(MAP, 9, &mut file);
    let mut entry = |name: &str, kind, number| {
        encode(&Value::from(name), &mut file);
        unsigned(kind, number, &mut file);
    };
    entry("binary_format_major_version", UINT16, 2);
    entry("binary_format_minor_version", UINT16, 0);
    entry("build_epoch", UINT64, 1_767_225_600);
    entry("ip_version", UINT16, ip_version.into());
    entry("node_count", UINT32, nodes.len());
    entry("record_size", UINT16, record_size);
    for (name, value) in [("database_type", json!("Test")), ("description", json!({})), ("languages", json!(["en"]))] {
        encode(&Value::from(name), &mut file);
        encode(&value, &mut file);
    }
    file
}

/// The path to a network through the tree; IPv4 lies at `::/96` of an IPv6 one.
fn bits(network: &str, ip_version: u8) -> Vec<bool> {
    let (address, prefix) = network.split_once('/').expect("a network");
    let prefix: usize = prefix.parse().unwrap();
    let (address, all) = match address.parse().unwrap() {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let zeros = if ip_version == 6 { 128 - all } else { 0 };
    let bits = (0..prefix).map(|bit| address >> (all - 1 - bit) & 1 == 1);
    std::iter::repeat_n(false, zeros).chain(bits).collect()
}

fn insert(nodes: &mut Vec<[MmdbValue; 2]>, path: &[bool], offset: usize) {
    let (last, steps) = path.split_last().expect("a network that is not everything");
    let mut at = 0;
    for step in steps {
        at = match nodes[at][usize::from(*step)] {
            MmdbValue::Node(next) => next,
            MmdbValue::Empty => {
                nodes.push([MmdbValue::Empty; 2]);
                let next = nodes.len() - 1;
                nodes[at][usize::from(*step)] = MmdbValue::Node(next);
                next
            }
            MmdbValue::Data(_) => panic!("a network within another"),
        };
    }
    nodes[at][usize::from(*last)] = MmdbValue::Data(offset);
}

fn pack(node: [MmdbValue; 2], nodes: usize, record_size: usize) -> Vec<u8> {
    let [left, right] = node.map(|record| match record {
        MmdbValue::Empty => nodes,
        MmdbValue::Node(node) => node,
        MmdbValue::Data(offset) => nodes + SEPARATOR + offset,
    });
    let bytes = |number: usize, count: usize| u32::try_from(number).unwrap().to_be_bytes()[4 - count..].to_vec();
    match record_size {
        24 => [bytes(left, 3), bytes(right, 3)].concat(),
        28 => {
            let shared = u8::try_from((left >> 24) << 4 | right >> 24).unwrap();
            [bytes(left & 0xff_ffff, 3), vec![shared], bytes(right & 0xff_ffff, 3)].concat()
        }
        _ => [bytes(left, 4), bytes(right, 4)].concat(),
    }
}

fn encode(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            control(STRING, text.len(), into);
            into.extend(text.as_bytes());
        }
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => {
                let number = usize::try_from(number).unwrap();
                unsigned(if u32::try_from(number).is_ok() { UINT32 } else { UINT64 }, number, into);
            }
            (None, Some(number)) => {
                control(INT32, 4, into);
                into.extend(i32::try_from(number).unwrap().to_be_bytes());
            }
            (None, None) => {
                control(DOUBLE, 8, into);
                into.extend(number.as_f64().unwrap().to_be_bytes());
            }
        },
        Value::Object(map) => {
            control(MAP, map.len(), into);
            for (key, value) in map {
                encode(&Value::from(key.as_str()), into);
                encode(value, into);
            }
        }
        Value::Array(list) => {
            control(ARRAY, list.len(), into);
            list.iter().for_each(|value| encode(value, into));
        }
        Value::Bool(value) => control(BOOLEAN, usize::from(*value), into),
        Value::Null => panic!("MMDB has no null"),
    }
}

fn unsigned(kind: u8, number: usize, into: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    control(kind, bytes.len() - zeros, into);
    into.extend(&bytes[zeros..]);
}

/// Type and size; types past 7 have a byte of their own.
fn control(kind: u8, size: usize, into: &mut Vec<u8>) {
    let (short, long) = match size {
        0..29 => (u8::try_from(size).unwrap(), vec![]),
        29..285 => (29, vec![u8::try_from(size - 29).unwrap()]),
        _ => (30, u16::try_from(size - 285).unwrap().to_be_bytes().to_vec()),
    };
    if kind <= 7 {
        into.push(kind << 5 | short);
    } else {
        into.extend([short, kind - 7]);
    }
    into.extend(long);
}
