//! The names of fields on the wire: text, and nothing else.

use serde::ser::{Impossible, Serialize, Serializer};

use super::{
    StructError,
    write::{Done, length},
};

/// Key on the wire.
const ENTRY_NAME: u8 = 0x0a;

/// Writes a name.
pub(super) fn write(out: &mut Vec<u8>, name: &str) {
    out.push(ENTRY_NAME);
    length(out, name.len());
    out.extend_from_slice(name.as_bytes());
}

/// Writes the name of a field.
pub(super) struct Name<'a>(pub(super) &'a mut Vec<u8>);

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
        write(self.0, value);
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
