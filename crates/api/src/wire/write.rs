//! From anything that can be serialized to the wire, in one pass.

use std::fmt::Display;

use serde::ser::{self, Serialize, Serializer};

use super::{
    StructError,
    compound::{Fields, Items},
    name,
};

/// Keys on the wire: field number and wire type in one byte.
pub(super) const ENTRY: u8 = 0x0a;
const ENTRY_VALUE: u8 = 0x12;
const NULL: u8 = 0x08;
const NUMBER: u8 = 0x11;
const TEXT: u8 = 0x1a;
const BOOL: u8 = 0x20;
const STRUCT: u8 = 0x2a;
const LIST: u8 = 0x32;

/// Guessed size of a document.
const CAPACITY: usize = 1024;

pub(super) type Done = Result<(), StructError>;

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
pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) top: bool,
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
pub(super) struct Variant {
    mapping: Option<usize>,
    entry: usize,
    value: usize,
}

impl Variant {
    pub(super) fn end(self, out: &mut Vec<u8>) {
        end(out, self.value);
        end(out, self.entry);
        if let Some(mapping) = self.mapping {
            end(out, mapping);
        }
    }
}

pub(super) fn begin_entry(out: &mut Vec<u8>, name: &str) -> usize {
    out.push(ENTRY);
    let entry = begin(out);
    name::write(out, name);
    entry
}

pub(super) fn begin_value(out: &mut Vec<u8>) -> usize {
    out.push(ENTRY_VALUE);
    begin(out)
}

/// Leaves room for a short length; where what it is the length of begins.
pub(super) fn begin(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Writes the length of what began there; moves it where the length takes more room than was left.
pub(super) fn end(out: &mut Vec<u8>, begun: usize) {
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

pub(super) fn length(out: &mut Vec<u8>, bytes: usize) {
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
