//! Documents on the wire: `google.protobuf.Struct` to and from JSON values and objects.

use prost_types::{ListValue, Value as ProtoValue, value::Kind as ProtoKind};
use serde_json::{Map, Number, Value};

use crate::{DecodeError, Object, Struct};

/// Beyond this a double does not hold every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// How deep values may nest; what lies deeper is dropped, so that no message can exhaust the stack.
const DEPTH_MAX: usize = 128;

/// The document of an object.
///
/// # Panics
/// Never: objects are documents.
pub fn to_struct(object: &Object) -> Struct {
    Struct::of(object).expect("objects are documents")
}

/// Reads an object without schema check, defaults or validation.
///
/// # Errors
/// Names the first field that does not fit.
pub fn from_struct(document: Struct) -> Result<Object, DecodeError> {
    Object::from_value(value_from_struct(document))
}

/// The document as JSON; whole numbers become integers.
pub fn value_from_struct(document: Struct) -> Value {
    Value::Object(document.into_fields())
}

/// A JSON document as a `Struct`; `None` where it is not a mapping.
#[expect(clippy::needless_pass_by_value, reason = "like the other conversions")]
pub fn struct_from_value(value: Value) -> Option<Struct> {
    Struct::of(&value).ok()
}

/// Any JSON value as a protobuf one.
pub fn proto_from_value(value: Value) -> ProtoValue {
    let kind = match value {
        Value::Null => ProtoKind::NullValue(0),
        Value::Bool(value) => ProtoKind::BoolValue(value),
        Value::Number(number) => ProtoKind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => ProtoKind::StringValue(text),
        Value::Array(items) => ProtoKind::ListValue(ListValue {
            values: items.into_iter().map(proto_from_value).collect(),
        }),
        Value::Object(fields) => ProtoKind::StructValue(prost_types::Struct {
            fields: fields
                .into_iter()
                .map(|(name, field)| (name, proto_from_value(field)))
                .collect(),
        }),
    };
    ProtoValue { kind: Some(kind) }
}

/// Any protobuf value as JSON; whole numbers become integers, NaN and infinities `null`.
pub fn value_from_proto(value: ProtoValue) -> Value {
    value_within(value, DEPTH_MAX)
}

fn value_within(value: ProtoValue, depth: usize) -> Value {
    match value.kind {
        _ if depth == 0 => Value::Null,
        None | Some(ProtoKind::NullValue(_)) => Value::Null,
        Some(ProtoKind::BoolValue(value)) => Value::Bool(value),
        Some(ProtoKind::NumberValue(number)) => number_value(number),
        Some(ProtoKind::StringValue(text)) => Value::String(text),
        Some(ProtoKind::ListValue(list)) => Value::Array(
            list.values
                .into_iter()
                .map(|item| value_within(item, depth - 1))
                .collect(),
        ),
        Some(ProtoKind::StructValue(fields)) => Value::Object(map_from_struct(fields, depth - 1)),
    }
}

fn map_from_struct(document: prost_types::Struct, depth: usize) -> Map<String, Value> {
    document
        .fields
        .into_iter()
        .map(|(name, field)| (name, value_within(field, depth)))
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the number is whole and within 2^53"
)]
pub(crate) fn number_value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_stay_whole_on_the_wire() {
        let value = json!({ "replicas": 3, "ratio": 0.5, "big": 1_700_000_000_000_i64, "list": [1, null, "a", true] });
        let wire = struct_from_value(value.clone()).unwrap();
        let wire = <Struct as prost::Message>::encode_to_vec(&wire);
        let read = <Struct as prost::Message>::decode(&wire[..]).unwrap();
        assert_eq!(value_from_struct(read), value);
    }

    #[test]
    fn numbers_that_json_cannot_hold_become_null() {
        let nan = ProtoValue {
            kind: Some(ProtoKind::NumberValue(f64::NAN)),
        };
        assert_eq!(value_from_proto(nan), Value::Null);
    }
}
