//! `google.protobuf.Struct` without detours: written straight from what can be serialized, read straight into JSON.

mod compound;
mod name;
mod read;
mod write;

use bytes::{Buf, BufMut, Bytes};
use prost::{
    DecodeError, Message,
    encoding::{DecodeContext, WireType, check_wire_type, decode_varint, skip_field},
};
use serde::Serialize;
use serde_json::{Map, Value};

/// The field of a Struct that holds its entries.
const FIELDS: u32 = 1;

/// A document as it travels: a `google.protobuf.Struct`.
#[derive(Clone, Debug)]
pub struct Struct(Form);

#[derive(Clone, Debug)]
enum Form {
    /// As it came in.
    Fields(Map<String, Value>),
    /// As it goes out; clones share it.
    Encoded(Bytes),
}

impl Struct {
    /// The document of a value that is a mapping.
    ///
    /// # Errors
    /// In words, where it is no mapping, or has keys that are no text.
    pub fn of(value: &impl Serialize) -> Result<Self, StructError> {
        write::encoded(value).map(|bytes| Self(Form::Encoded(bytes.into())))
    }

    /// The fields; whole numbers are integers.
    pub fn into_fields(self) -> Map<String, Value> {
        match self.0 {
            Form::Fields(fields) => fields,
            Form::Encoded(bytes) => read::fields(&bytes).expect("it was written here"),
        }
    }

    fn encoded(&self) -> Bytes {
        match &self.0 {
            Form::Encoded(bytes) => bytes.clone(),
            Form::Fields(fields) => write::encoded(fields).expect("JSON is always a document").into(),
        }
    }
}

/// Why a value is no document.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StructError(String);

impl Default for Struct {
    fn default() -> Self {
        Self(Form::Fields(Map::new()))
    }
}

impl PartialEq for Struct {
    fn eq(&self, other: &Self) -> bool {
        self.clone().into_fields() == other.clone().into_fields()
    }
}

impl Message for Struct {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put(self.encoded());
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag != FIELDS {
            return skip_field(wire_type, tag, buf, ctx);
        }
        check_wire_type(WireType::LengthDelimited, wire_type)?;
        let length = usize::try_from(decode_varint(buf)?).unwrap_or(usize::MAX);
        if length > buf.remaining() {
            return Err(read::damaged());
        }
        if let Form::Encoded(_) = self.0 {
            self.0 = Form::Fields(std::mem::take(self).into_fields());
        }
        let Form::Fields(fields) = &mut self.0 else {
            unreachable!("it was made fields just now")
        };
        // Mostly in one piece already: nothing is copied then.
        let entry = buf.copy_to_bytes(length);
        read::entry(&entry, fields, 0)
    }

    fn encoded_len(&self) -> usize {
        self.encoded().len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost_types as theirs;
    use serde_json::json;

    use super::*;
    use crate::convert;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1i64 << 53)..(1 << 53)).prop_map(Value::from),
            (-1e300..1e300).prop_map(Value::from),
            ".{0,200}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(".{0,20}", inner, 0..8)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn theirs(fields: Map<String, Value>) -> theirs::Struct {
        let fields = fields.into_iter();
        theirs::Struct {
            fields: fields
                .map(|(name, value)| (name, convert::proto_from_value(value)))
                .collect(),
        }
    }

    proptest! {
        #[test]
        fn it_is_what_protobuf_calls_a_struct(value in json()) {
            let fields = Map::from_iter([("x".to_owned(), value)]);
            let bytes = Struct::of(&fields).unwrap().encode_to_vec();
            prop_assert_eq!(theirs::Struct::decode(&bytes[..]).unwrap(), theirs(fields.clone()));
            let read = Struct::decode(&theirs(fields.clone()).encode_to_vec()[..]).unwrap();
            prop_assert_eq!(read.into_fields(), Struct::decode(&bytes[..]).unwrap().into_fields());
        }

        #[test]
        fn no_bytes_upset_the_reader(bytes: Vec<u8>) {
            Struct::decode(&bytes[..]).ok();
        }

        #[test]
        fn no_damage_upsets_the_reader(value in json(), at in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut bytes = Struct::of(&json!({ "x": value })).unwrap().encode_to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            Struct::decode(&bytes[..]).ok();
        }
    }

    #[test]
    fn what_nests_too_deep_is_refused() {
        let mut value = Value::Null;
        for _ in 0..1000 {
            value = json!([value]);
        }
        let bytes = Struct::of(&json!({ "x": value })).unwrap().encode_to_vec();
        assert!(Struct::decode(&bytes[..]).is_err());
    }

    #[test]
    fn only_mappings_are_documents() {
        assert!(Struct::of(&1).is_err());
        assert!(Struct::of(&["a"]).is_err());
        assert!(Struct::of(&json!({})).is_ok());
    }
}
