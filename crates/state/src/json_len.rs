//! How long something is as JSON, without writing it.

use std::fmt::{self, Display, Write};

use serde::{
    Serialize,
    ser::{
        Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant, Serializer,
    },
};

/// The bytes of a value's JSON as `serde_json` writes it; `None` for what JSON cannot hold.
pub(crate) fn json_len(value: &(impl Serialize + ?Sized)) -> Option<u64> {
    let mut length = Length::default();
    value.serialize(&mut length).ok()?;
    Some(length.bytes)
}

/// Adds up.
#[derive(Default)]
struct Length {
    bytes: u64,
    /// Whether there was a text since this was last put down.
    quoted: bool,
}

impl Length {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    fn text(&mut self, text: &str) {
        self.quotes();
        self.piece(text);
    }

    fn quotes(&mut self) {
        self.quoted = true;
        self.add(2);
    }

    fn piece(&mut self, text: &str) {
        let escapes: usize = text.bytes().map(beyond_itself).sum();
        self.add(text.len() + escapes);
    }

    fn number(&mut self, number: u64) {
        self.add(number.checked_ilog10().map_or(1, |log| log as usize + 1));
    }

    fn signed(&mut self, number: i64) {
        self.add(usize::from(number < 0));
        self.number(number.unsigned_abs());
    }

    /// What others know better; seldom.
    fn written(&mut self, value: &impl Serialize) -> Result<(), No> {
        self.add(serde_json::to_string(value).map_err(|_| No)?.len());
        Ok(())
    }

    fn open(&mut self) -> Items<'_> {
        self.add(2);
        Items {
            length: self,
            first: true,
        }
    }

    /// `{"variant":...}` around what follows.
    fn variant(&mut self, variant: &str) {
        self.text(variant);
        self.add(3);
    }
}

/// What an escaped byte takes on top of its one.
fn beyond_itself(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0C => 1,
        0..0x20 => 5,
        _ => 0,
    }
}

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.piece(text);
        Ok(())
    }
}

/// JSON cannot hold it.
#[derive(Debug, thiserror::Error)]
#[error("JSON cannot hold it")]
struct No;

impl serde::ser::Error for No {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

type Done = Result<(), No>;

/// What a list or a mapping holds.
struct Items<'a> {
    length: &'a mut Length,
    first: bool,
}

impl Items<'_> {
    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Done {
        self.comma();
        value.serialize(&mut *self.length)
    }

    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Done {
        self.comma();
        self.length.text(name);
        self.length.add(1);
        value.serialize(&mut *self.length)
    }

    fn comma(&mut self) {
        self.length.add(usize::from(!self.first));
        self.first = false;
    }
}

macro_rules! numbers {
    ($($method:ident $type:ty => $as:ident),*) => {
        $(fn $method(self, number: $type) -> Done {
            self.$as(number.into());
            Ok(())
        })*
    };
}

impl<'a> Serializer for &'a mut Length {
    type Ok = ();
    type Error = No;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    numbers!(
        serialize_i8 i8 => signed, serialize_i16 i16 => signed, serialize_i32 i32 => signed, serialize_i64 i64 => signed,
        serialize_u8 u8 => number, serialize_u16 u16 => number, serialize_u32 u32 => number, serialize_u64 u64 => number
    );

    fn serialize_bool(self, value: bool) -> Done {
        self.add(if value { 4 } else { 5 });
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Done {
        self.written(&number)
    }

    fn serialize_f64(self, number: f64) -> Done {
        self.written(&number)
    }

    fn serialize_char(self, letter: char) -> Done {
        self.text(letter.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Done {
        self.text(text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        let mut items = self.open();
        bytes.iter().try_for_each(|byte| items.item(byte))
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.add(4);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.variant(variant);
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, No> {
        Ok(self.open())
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, No> {
        Ok(self.open())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, No> {
        Ok(self.open())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, No> {
        self.variant(variant);
        Ok(self.open())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'a>, No> {
        Ok(self.open())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, No> {
        Ok(self.open())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, No> {
        self.variant(variant);
        Ok(self.open())
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Done {
        self.quotes();
        write!(self, "{value}").map_err(No::custom)
    }
}

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = No;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.comma();
        self.length.quoted = false;
        key.serialize(&mut *self.length)?;
        // A number becomes a text.
        self.length.add(if self.length.quoted { 0 } else { 2 });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.length.add(1);
        value.serialize(&mut *self.length)
    }

    fn end(self) -> Done {
        Ok(())
    }
}

macro_rules! lists {
    ($($list:ident: $method:ident;)*) => {
        $(impl $list for Items<'_> {
            type Ok = ();
            type Error = No;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Done {
                self.item(item)
            }

            fn end(self) -> Done {
                Ok(())
            }
        })*
    };
}

macro_rules! structs {
    ($($fields:ident;)*) => {
        $(impl $fields for Items<'_> {
            type Ok = ();
            type Error = No;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                self.field(name, value)
            }

            fn end(self) -> Done {
                Ok(())
            }
        })*
    };
}

lists!(
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
);
structs!(
    SerializeStruct;
    SerializeStructVariant;
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use skep_testkit::{config_map, deployment, node, pod};

    use super::*;

    #[derive(Debug, Serialize)]
    enum Any {
        Unit,
        New(i8),
        Tuple(u64, Option<char>),
        Struct { a: f32, b: Option<()> },
    }

    fn check(value: &(impl Serialize + fmt::Debug)) {
        let written = serde_json::to_string(value).unwrap();
        assert_eq!(
            json_len(value),
            Some(written.len() as u64),
            "{value:?}: {written}"
        );
    }

    #[test]
    fn every_shape_is_as_long_as_it_is_written() {
        check(&[Any::Unit, Any::New(-128), Any::Tuple(u64::MAX, Some('"'))]);
        check(&Any::Struct { a: 0.5, b: None });
        check(&BTreeMap::from([(1_u32, ()), (10, ())]));
        check(&(
            i64::MIN,
            0,
            9,
            10,
            99,
            100,
            true,
            false,
            "\u{0}\u{1f}\u{7f}é\\\n\t",
        ));
        check(&json!({ "a": [], "b": {}, "c": [1.5e300, -0.25] }));
    }

    #[test]
    fn objects_are_as_long_as_they_are_written() {
        check(
            &config_map("c")
                .data("key", "a \"word\"\n")
                .label("a", "b")
                .object(),
        );
        check(&deployment("d", 3).object());
        check(&node("n").cpu("1500m").memory("3Gi").object());
        check(&pod("p").cpu("250m").host_port(80).sidecar("s", "1").object());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_json_holds_is_as_long_as_it_is_written(value in any_json()) {
            check(&value);
        }
    }
}
