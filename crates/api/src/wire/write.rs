//! From anything that can be serialized to the wire, in one pass.

use std::fmt::Display;

use serde::ser::{self, Impossible, Serialize, Serializer};

use super::StructError;

/// Keys on the wire: field number and wire type in one byte.
const ENTRY: u8 = 0x0a;
const ENTRY_NAME: u8 = 0x0a;
const ENTRY_VALUE: u8 = 0x12;
const NULL: u8 = 0x08;
const NUMBER: u8 = 0x11;
const TEXT: u8 = 0x1a;
const BOOL: u8 = 0x20;
const STRUCT: u8 = 0x2a;
const LIST: u8 = 0x32;
const ITEM: u8 = 0x0a;

/// Guessed size of a document.
const CAPACITY: usize = 1024;

type Done = Result<(), StructError>;

/// The Struct of a mapping.
pub(super) fn encoded(value: &impl Serialize) -> Result<Vec<u8>, StructError> {
    let mut out = Vec::with_capacity(CAPACITY);
    value.serialize(Writer {
        out: &mut out,
        top: true,
    })?;
    Ok(out)
}

/// Writes one Value; at the top, the fields of a Struct alone.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    top: bool,
}

impl<'a> Writer<'a> {
    /// Only mappings may stand at the top.
    fn scalar(self, write: impl FnOnce(&mut Vec<u8>)) -> Done {
        if self.top {
            return Err(StructError("a document must be a mapping".to_owned()));
        }
        write(self.out);
        Ok(())
    }

    fn number(self, number: f64) -> Done {
        if !number.is_finite() {
            return self.serialize_unit();
        }
        self.scalar(|out| {
            out.push(NUMBER);
            out.extend_from_slice(&number.to_le_bytes());
        })
    }

    fn mapping(self) -> Fields<'a> {
        let end = if self.top {
            None
        } else {
            self.out.push(STRUCT);
            Some(begin(self.out))
        };
        Fields {
            out: self.out,
            end,
            entry: 0,
            variant: None,
        }
    }

    fn list(self) -> Result<Items<'a>, StructError> {
        if self.top {
            return Err(StructError("a document must be a mapping".to_owned()));
        }
        self.out.push(LIST);
        let begun = begin(self.out);
        Ok(Items {
            out: self.out,
            begun,
            variant: None,
        })
    }

    /// A mapping with one field; where field, value and mapping began.
    fn variant(self, name: &str) -> (Variant, &'a mut Vec<u8>) {
        let mapping = (!self.top).then(|| {
            self.out.push(STRUCT);
            begin(self.out)
        });
        let entry = begin_entry(self.out, name);
        let value = begin_value(self.out);
        (
            Variant {
                mapping,
                entry,
                value,
            },
            self.out,
        )
    }
}

/// Where the parts of an enum's variant began.
struct Variant {
    mapping: Option<usize>,
    entry: usize,
    value: usize,
}

impl Variant {
    fn end(self, out: &mut Vec<u8>) {
        end(out, self.value);
        end(out, self.entry);
        if let Some(mapping) = self.mapping {
            end(out, mapping);
        }
    }
}

fn begin_entry(out: &mut Vec<u8>, name: &str) -> usize {
    out.push(ENTRY);
    let entry = begin(out);
    out.push(ENTRY_NAME);
    length(out, name.len());
    out.extend_from_slice(name.as_bytes());
    entry
}

fn begin_value(out: &mut Vec<u8>) -> usize {
    out.push(ENTRY_VALUE);
    begin(out)
}

/// Leaves room for a short length; where what it is the length of begins.
fn begin(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Writes the length of what began there; moves it where the length takes more room than was left.
fn end(out: &mut Vec<u8>, begun: usize) {
    let mut rest = out.len() - begun;
    let mut digits = [0; 10];
    let mut count = 0;
    loop {
        let more = rest > 0x7f;
        digits[count] = (rest & 0x7f) as u8 | if more { 0x80 } else { 0 };
        rest >>= 7;
        count += 1;
        if !more {
            break;
        }
    }
    out[begun - 1] = digits[0];
    if count > 1 {
        out.splice(begun..begun, digits[1..count].iter().copied());
    }
}

fn length(out: &mut Vec<u8>, bytes: usize) {
    prost::encoding::encode_varint(bytes as u64, out);
}

impl ser::Error for StructError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

macro_rules! numbers {
    ($($name:ident $type:ty),*) => {
        $(fn $name(self, number: $type) -> Done {
            #[expect(clippy::allow_attributes, reason = "lossless for some of the types")]
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, reason = "a document's numbers are doubles")]
            self.number(number as f64)
        })*
    };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = StructError;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    numbers!(
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64,
        serialize_f32 f32, serialize_f64 f64
    );

    fn serialize_bool(self, value: bool) -> Done {
        self.scalar(|out| out.extend_from_slice(&[BOOL, u8::from(value)]))
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.scalar(|out| {
            out.push(TEXT);
            length(out, value.len());
            out.extend_from_slice(value.as_bytes());
        })
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        value.serialize(self)
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.scalar(|out| out.extend_from_slice(&[NULL, 0]))
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
        let (begun, out) = self.variant(variant);
        value.serialize(Writer { out, top: false })?;
        begun.end(out);
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, StructError> {
        self.list()
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, StructError> {
        self.list()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, StructError> {
        self.list()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, StructError> {
        let (begun, out) = self.variant(variant);
        let mut items = Writer { out, top: false }.list()?;
        items.variant = Some(begun);
        Ok(items)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'a>, StructError> {
        Ok(self.mapping())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, StructError> {
        Ok(self.mapping())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, StructError> {
        let (begun, out) = self.variant(variant);
        let mut fields = Writer { out, top: false }.mapping();
        fields.variant = Some(begun);
        Ok(fields)
    }
}

/// Writes a list.
struct Items<'a> {
    out: &'a mut Vec<u8>,
    begun: usize,
    variant: Option<Variant>,
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.out.push(ITEM);
        let begun = begin(self.out);
        value.serialize(Writer {
            out: self.out,
            top: false,
        })?;
        end(self.out, begun);
        Ok(())
    }

    fn finish(self) {
        end(self.out, self.begun);
        if let Some(variant) = self.variant {
            variant.end(self.out);
        }
    }
}

/// Writes the fields of a mapping.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    /// Where the mapping began, where it is not the document itself.
    end: Option<usize>,
    /// Where the present entry began.
    entry: usize,
    variant: Option<Variant>,
}

impl Fields<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Done {
        self.entry = begin_entry(self.out, name);
        self.value(value)
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let begun = begin_value(self.out);
        value.serialize(Writer {
            out: self.out,
            top: false,
        })?;
        end(self.out, begun);
        end(self.out, self.entry);
        Ok(())
    }

    fn finish(self) {
        if let Some(begun) = self.end {
            end(self.out, begun);
        }
        if let Some(variant) = self.variant {
            variant.end(self.out);
        }
    }
}

macro_rules! items {
    ($($name:ident $method:ident),*) => {
        $(impl ser::$name for Items<'_> {
            type Ok = ();
            type Error = StructError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.item(value)
            }

            fn end(self) -> Done {
                self.finish();
                Ok(())
            }
        })*
    };
}

items!(
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
);

macro_rules! fields {
    ($($name:ident),*) => {
        $(impl ser::$name for Fields<'_> {
            type Ok = ();
            type Error = StructError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
                self.field(key, value)
            }

            fn end(self) -> Done {
                self.finish();
                Ok(())
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = StructError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.out.push(ENTRY);
        self.entry = begin(self.out);
        key.serialize(Name(self.out))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.value(value)
    }

    fn end(self) -> Done {
        self.finish();
        Ok(())
    }
}

/// Writes the name of a field.
struct Name<'a>(&'a mut Vec<u8>);

fn no_name<T>() -> Result<T, StructError> {
    Err(StructError("the keys of a document must be text".to_owned()))
}

macro_rules! no_names {
    ($($name:ident $type:ty),*) => {
        $(fn $name(self, _: $type) -> Done {
            no_name()
        })*
    };
}

impl Serializer for Name<'_> {
    type Ok = ();
    type Error = StructError;
    type SerializeSeq = Impossible<(), StructError>;
    type SerializeTuple = Impossible<(), StructError>;
    type SerializeTupleStruct = Impossible<(), StructError>;
    type SerializeTupleVariant = Impossible<(), StructError>;
    type SerializeMap = Impossible<(), StructError>;
    type SerializeStruct = Impossible<(), StructError>;
    type SerializeStructVariant = Impossible<(), StructError>;

    no_names!(
        serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_f32 f32,
        serialize_f64 f64, serialize_bytes &[u8], serialize_unit_struct &'static str
    );

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.0.push(ENTRY_NAME);
        length(self.0, value.len());
        self.0.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn serialize_none(self) -> Done {
        no_name()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        no_name()
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
        _: &'static str,
        _: &T,
    ) -> Done {
        no_name()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, StructError> {
        no_name()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, StructError> {
        no_name()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTuple, StructError> {
        no_name()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTuple, StructError> {
        no_name()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, StructError> {
        no_name()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeMap, StructError> {
        no_name()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeMap, StructError> {
        no_name()
    }
}
