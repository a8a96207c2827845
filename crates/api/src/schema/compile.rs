//! From JSON schema to shapes.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{Choice, Field, Shape, Struct};

/// Compiles the schema of a document.
pub(super) fn compile(schema: &Value) -> Arc<Struct> {
    let empty = Map::new();
    let definitions = schema["$defs"].as_object().unwrap_or(&empty);
    let mut compiler = Compiler {
        definitions,
        done: BTreeMap::new(),
    };
    let name = schema["title"].as_str().unwrap_or_default();
    Arc::new(compiler.fields(name, schema))
}

struct Compiler<'a> {
    definitions: &'a Map<String, Value>,
    done: BTreeMap<&'a str, Shape>,
}

impl<'a> Compiler<'a> {
    fn fields(&mut self, name: &str, schema: &'a Value) -> Struct {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let fields = properties.map(|(name, property)| {
            (
                name.clone(),
                Field {
                    description: description(property),
                    shape: self.shape(property),
                },
            )
        });
        Struct {
            name: name.to_owned(),
            fields: fields.collect(),
            description: description(schema),
        }
    }

    fn shape(&mut self, schema: &'a Value) -> Shape {
        if let Some(name) = schema["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix("#/$defs/"))
        {
            return self.named(name);
        }
        if let Some(options) = schema["anyOf"].as_array() {
            let real = options.iter().find(|option| option["type"] != "null");
            return real.map_or(Shape::Text, |option| self.shape(option));
        }
        if schema["format"] == "quantity" {
            return Shape::Quantity;
        }
        let named = match &schema["type"] {
            Value::Array(names) => names.iter().find(|name| *name != "null").unwrap_or(&Value::Null),
            name => name,
        };
        match named.as_str() {
            Some("boolean") => Shape::Boolean,
            Some("integer") if schema["format"] == "int32" => {
                Shape::Integer(i32::MIN.into(), i32::MAX.into())
            }
            Some("integer") => Shape::Integer(i64::MIN, i64::MAX),
            Some("array") => Shape::List(Box::new(self.shape(&schema["items"]))),
            Some("object") if schema["additionalProperties"].is_object() => {
                Shape::Map(Box::new(self.shape(&schema["additionalProperties"])))
            }
            _ if schema["format"] == "date-time" => Shape::Time,
            _ => Shape::Text,
        }
    }

    fn named(&mut self, name: &'a str) -> Shape {
        if let Some(shape) = self.done.get(name) {
            return shape.clone();
        }
        let definition = self.definitions.get(name).unwrap_or(&Value::Null);
        let shape = if name == "IntOrString" {
            Shape::IntOrString
        } else if definition["properties"].is_object() {
            Shape::Struct(Arc::new(self.fields(name, definition)))
        } else if let Some(choices) = choices(definition) {
            Shape::Choice(Arc::new(choices))
        } else {
            self.shape(definition)
        };
        self.done.insert(name, shape.clone());
        shape
    }
}

/// The words of an enumeration: each a constant with a description, or a plain list.
fn choices(definition: &Value) -> Option<Vec<Choice>> {
    let described = definition["oneOf"].as_array().into_iter().flatten();
    let described = described.filter_map(|option| Some((option["const"].as_str()?, description(option))));
    let plain = definition["enum"].as_array().into_iter().flatten();
    let plain = plain.filter_map(|word| Some((word.as_str()?, String::new())));
    let choices: Vec<_> = described
        .chain(plain)
        .map(|(value, description)| Choice {
            value: value.to_owned(),
            description,
        })
        .collect();
    (!choices.is_empty()).then_some(choices)
}

fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}
