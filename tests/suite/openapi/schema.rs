//! The part of the API server's OpenAPI document that a pod spec reaches.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

const PREFIX: &str = "#/components/schemas/";
const POD_SPEC: &str = "io.k8s.api.core.v1.PodSpec";

/// The schemas of a pod spec's fields. Of the descriptions only those are kept that speak of
/// ConfigMaps or Secrets.
#[derive(Debug, PartialEq)]
pub(crate) struct Schema(Value);

/// One field of a pod spec, in whatever depth.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// From the spec down.
    steps: Vec<Step>,
    /// Whether its name, its type or its description speaks of ConfigMaps or Secrets.
    pub(crate) suspicious: bool,
    /// Whether it holds text itself.
    pub(crate) text: bool,
}

#[derive(Clone, Debug)]
struct Step {
    /// The schema that has the property.
    owner: String,
    property: String,
    shape: Shape,
}

/// How a property holds what its type says.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Single,
    List,
    Map,
}

impl Field {
    /// `volumes[].configMap.name`.
    pub(crate) fn path(&self) -> String {
        let step = |step: &Step| match step.shape {
            Shape::Single => step.property.clone(),
            Shape::List => format!("{}[]", step.property),
            Shape::Map => format!("{}{{}}", step.property),
        };
        self.steps.iter().map(step).collect::<Vec<_>>().join(".")
    }

    /// Whether it is the field of this path, or lies in it.
    pub(crate) fn is_within(&self, path: &str) -> bool {
        self.path()
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
    }
}

impl Schema {
    /// A stored schema.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Ok(Self(serde_json::from_str(text)?))
    }

    /// What is to be stored of the API server's document.
    pub(crate) fn slim(document: &Value) -> Result<Self> {
        let mut schemas = Map::new();
        let mut wanted = vec![POD_SPEC.to_owned()];
        while let Some(name) = wanted.pop() {
            if schemas.contains_key(&name) {
                continue;
            }
            let schema = slimmed(&document["components"]["schemas"][&name]);
            if schema.is_null() {
                bail!("the document has no schema {name}");
            }
            targets(&schema, &mut wanted);
            schemas.insert(name, schema);
        }
        let version = document["info"]["version"].as_str().context("the document has no version")?;
        Ok(Self(json!({"info": {"version": version}, "components": {"schemas": schemas}})))
    }

    /// As it is stored.
    pub(crate) fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&self.0)? + "\n")
    }

    /// The minor version of Kubernetes: `1.36`.
    pub(crate) fn version(&self) -> Result<&str> {
        self.0["info"]["version"].as_str().context("the schema has no version")
    }

    /// Every field that a pod spec has.
    pub(crate) fn fields(&self) -> Result<Vec<Field>> {
        let mut found = Vec::new();
        self.walk(POD_SPEC, &mut Vec::new(), &mut found)?;
        Ok(found)
    }

    fn walk(&self, owner: &str, steps: &mut Vec<Step>, found: &mut Vec<Field>) -> Result<()> {
        let properties = self.properties(owner)?;
        for (property, schema) in properties {
            let (shape, inner) = match (&schema["items"], &schema["additionalProperties"]) {
                (Value::Object(_), _) => (Shape::List, &schema["items"]),
                (_, Value::Object(_)) => (Shape::Map, &schema["additionalProperties"]),
                _ => (Shape::Single, schema),
            };
            steps.push(Step { owner: owner.to_owned(), property: property.clone(), shape });
            let target = target(inner);
            let speaks = [Some(property.as_str()), target, schema["description"].as_str()];
            // One with a format is a time or a number.
            let text = inner["type"] == "string" && inner["format"].is_null();
            // A flag or a number names nothing.
            let holds_names = text || target.is_some();
            let suspicious = holds_names
                && (speaks.into_iter().flatten().any(mentions_source)
                    || target.map_or(Ok(false), |target| self.names_an_object(target))?);
            found.push(Field { steps: steps.clone(), suspicious, text });
            if let Some(target) = target.filter(|target| steps.iter().all(|step| step.owner != *target)) {
                self.walk(target, steps, found)?;
            }
            steps.pop();
        }
        Ok(())
    }

    /// Whether the schema is a reference to an object of any kind.
    fn names_an_object(&self, name: &str) -> Result<bool> {
        let schema = self.schema(name)?;
        Ok(["kind", "name"].iter().all(|property| schema["properties"][property].is_object()))
    }

    fn schema(&self, name: &str) -> Result<&Value> {
        let schema = &self.0["components"]["schemas"][name];
        if schema.is_null() { Err(anyhow::anyhow!("no schema {name}: refresh it")) } else { Ok(schema) }
    }

    /// None for a type that is no object, such as a quantity.
    fn properties(&self, name: &str) -> Result<impl Iterator<Item = (&String, &Value)>> {
        Ok(self.schema(name)?["properties"].as_object().into_iter().flatten())
    }

    /// A pod spec with nothing but this text field, what is required beside it, and the names of the
    /// objects that it lies in.
    pub(crate) fn spec_with(&self, field: &Field, text: &str) -> Result<Value> {
        let mut value = json!(text);
        for step in field.steps.iter().rev() {
            value = match step.shape {
                Shape::Single => value,
                Shape::List => json!([value]),
                Shape::Map => json!({"key": value}),
            };
            let mut object = self.minimal(&step.owner)?;
            object.insert(step.property.clone(), value);
            value = Value::Object(object);
        }
        Ok(value)
    }

    fn minimal(&self, name: &str) -> Result<Map<String, Value>> {
        let required = &self.schema(name)?["required"];
        let is_required = |property: &str| required.as_array().is_some_and(|r| r.contains(&json!(property)));
        let mut object = Map::new();
        for (property, schema) in self.properties(name)? {
            let names = schema["type"] == "string" && (property == "name" || property == "secretName");
            if names || is_required(property) {
                let value = match (schema["type"].as_str(), target(schema)) {
                    (Some("string"), _) => json!("other"),
                    (Some("integer"), _) => json!(0),
                    (Some("boolean"), _) => json!(false),
                    (Some("array"), _) => json!([]),
                    (_, Some(target)) if self.schema(target)?["properties"].is_object() => {
                        Value::Object(self.minimal(target)?)
                    }
                    // A number or a text, such as a port.
                    (_, Some(_)) => json!("1"),
                    _ => json!({}),
                };
                object.insert(property.clone(), value);
            }
        }
        Ok(object)
    }
}

/// Whether a name, a type or a description speaks of sources, or of references to any object.
fn mentions_source(text: &str) -> bool {
    let text = text.to_lowercase();
    ["secret", "configmap", "config map", "objectreference"].iter().any(|word| text.contains(word))
}

/// The schema that a property refers to.
fn target(schema: &Value) -> Option<&str> {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    reference.and_then(|reference| reference.strip_prefix(PREFIX))
}

fn targets(schema: &Value, found: &mut Vec<String>) {
    found.extend(target(schema).map(str::to_owned));
    match schema {
        Value::Object(object) => object.values().for_each(|value| targets(value, found)),
        Value::Array(array) => array.iter().for_each(|value| targets(value, found)),
        _ => {}
    }
}

/// A schema without what tells nothing of names.
fn slimmed(schema: &Value) -> Value {
    let kept: BTreeSet<&str> =
        ["$ref", "additionalProperties", "allOf", "format", "items", "properties", "required", "type"].into();
    let Some(object) = schema.as_object() else { return schema.clone() };
    let inner = |(name, value): (&String, &Value)| match (name.as_str(), value) {
        ("description", Value::String(text)) => mentions_source(text).then(|| (name.clone(), value.clone())),
        ("properties", Value::Object(properties)) => {
            let properties = properties.iter().map(|(name, schema)| (name.clone(), slimmed(schema)));
            Some((name.clone(), Value::Object(properties.collect())))
        }
        ("allOf", Value::Array(all)) => Some((name.clone(), all.iter().map(slimmed).collect())),
        (keyword, _) if kept.contains(keyword) => Some((name.clone(), slimmed(value))),
        _ => None,
    };
    Value::Object(object.iter().filter_map(inner).collect())
}
