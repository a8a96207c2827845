//! Lists and mappings on the wire, one part after the other.

use serde::ser::{self, Serialize};

use super::{
    StructError,
    name::Name,
    write::{Done, ENTRY, Variant, Writer, begin, begin_entry, begin_value, end},
};

/// Key on the wire.
const ITEM: u8 = 0x0a;

/// Writes a list.
pub(super) struct Items<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) begun: usize,
    pub(super) variant: Option<Variant>,
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
pub(super) struct Fields<'a> {
    pub(super) out: &'a mut Vec<u8>,
    /// Where the mapping began, where it is not the document itself.
    pub(super) end: Option<usize>,
    /// Where the present entry began.
    pub(super) entry: usize,
    pub(super) variant: Option<Variant>,
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
