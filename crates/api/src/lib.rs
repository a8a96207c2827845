//! Kubernetes-shaped resource types, their defaulting and validation, and the generated gRPC code.
//!
//! An object is one document (`apiVersion`, `kind`, `metadata`, `spec`, `status`) everywhere: in YAML, over gRPC as
//! `google.protobuf.Struct`, and on the log. [`Object`] is the closed set of kinds; [`Resource`] is what they share.

pub mod admit;
pub mod convert;
pub mod default;
pub mod duration;
mod errors;
pub mod explain;
mod field_error;
mod field_selector;
mod int_or_string;
mod key;
mod kind;
pub mod kinds;
pub mod labels;
pub mod merge;
mod meta;
pub mod names;
pub mod node_label;
mod object;
mod path;
mod quantity;
pub mod schema;
mod selector;
mod shared;
pub mod status;
mod suggest;
mod time;
pub mod validate;
pub mod well_known;
mod wire;
pub mod yaml;

/// Generated gRPC messages, clients and servers of the package `skep.v1`.
#[expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    reason = "generated code"
)]
pub mod proto {
    tonic::include_proto!("skep.v1");

    /// Encoded descriptors of every skep service, for gRPC reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/skep.v1.bin"));
}

pub use field_error::{FieldError, Reason};
pub use field_selector::{FieldSelector, ParseFieldSelectorError};
pub use int_or_string::IntOrString;
pub use key::ObjectKey;
pub use kind::Kind;
pub use kinds::*;
pub use meta::{ObjectMeta, OwnerReference};
pub use object::{DecodeError, Object, Resource};
pub use quantity::{ParseQuantityError, Quantity};
pub use selector::{LabelSelector, LabelSelectorOperator, LabelSelectorRequirement};
pub use shared::Shared;
pub use time::Time;
pub use wire::{Struct, StructError};

/// True for a field that holds its default and so stays out of the document.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
