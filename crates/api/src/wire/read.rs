//! From the wire to JSON.

use prost::{
    DecodeError,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};
use serde_json::{Map, Value};

use crate::convert::number_value;

/// How deep values may nest, so that no message can exhaust the stack.
const DEPTH_MAX: usize = 64;

type Read<T> = Result<T, DecodeError>;

/// A Struct.
pub(super) fn fields(bytes: &[u8]) -> Read<Map<String, Value>> {
    fields_within(bytes, 0)
}

fn fields_within(mut bytes: &[u8], depth: usize) -> Read<Map<String, Value>> {
    let mut fields = Map::new();
    while !bytes.is_empty() {
        match key(&mut bytes)? {
            (super::FIELDS, WireType::LengthDelimited) => entry(piece(&mut bytes)?, &mut fields, depth)?,
            other => skip(&mut bytes, other)?,
        }
    }
    Ok(fields)
}

/// An entry of a Struct.
pub(super) fn entry(mut bytes: &[u8], fields: &mut Map<String, Value>, depth: usize) -> Read<()> {
    let (mut name, mut value) = (String::new(), Value::Null);
    while !bytes.is_empty() {
        match key(&mut bytes)? {
            (1, WireType::LengthDelimited) => name = text(piece(&mut bytes)?)?,
            (2, WireType::LengthDelimited) => value = value_within(piece(&mut bytes)?, depth)?,
            other => skip(&mut bytes, other)?,
        }
    }
    fields.insert(name, value);
    Ok(())
}

fn value_within(mut bytes: &[u8], depth: usize) -> Read<Value> {
    if depth >= DEPTH_MAX {
        return Err(damaged());
    }
    let mut value = Value::Null;
    while !bytes.is_empty() {
        value = match key(&mut bytes)? {
            (1, WireType::Varint) => {
                decode_varint(&mut bytes)?;
                Value::Null
            }
            (2, WireType::SixtyFourBit) => {
                let (number, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
                bytes = rest;
                number_value(f64::from_le_bytes(*number))
            }
            (3, WireType::LengthDelimited) => Value::String(text(piece(&mut bytes)?)?),
            (4, WireType::Varint) => Value::Bool(decode_varint(&mut bytes)? != 0),
            (5, WireType::LengthDelimited) => Value::Object(fields_within(piece(&mut bytes)?, depth + 1)?),
            (6, WireType::LengthDelimited) => Value::Array(list(piece(&mut bytes)?, depth + 1)?),
            other => {
                skip(&mut bytes, other)?;
                continue;
            }
        };
    }
    Ok(value)
}

fn list(mut bytes: &[u8], depth: usize) -> Read<Vec<Value>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        match key(&mut bytes)? {
            (1, WireType::LengthDelimited) => values.push(value_within(piece(&mut bytes)?, depth)?),
            other => skip(&mut bytes, other)?,
        }
    }
    Ok(values)
}

fn key(bytes: &mut &[u8]) -> Read<(u32, WireType)> {
    decode_key(bytes)
}

fn skip(bytes: &mut &[u8], (tag, wire_type): (u32, WireType)) -> Read<()> {
    skip_field(wire_type, tag, bytes, DecodeContext::default())
}

fn piece<'a>(bytes: &mut &'a [u8]) -> Read<&'a [u8]> {
    let length = usize::try_from(decode_varint(bytes)?).unwrap_or(usize::MAX);
    let (piece, rest) = bytes.split_at_checked(length).ok_or_else(damaged)?;
    *bytes = rest;
    Ok(piece)
}

fn text(bytes: &[u8]) -> Read<String> {
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    Ok(text.to_owned())
}

/// Said the way that prost says it of what is cut short.
pub(super) fn damaged() -> DecodeError {
    // A key of no wire type: the one way to make such an error from outside.
    decode_key(&mut &[0x07_u8][..]).expect_err("there is no wire type 7")
}
