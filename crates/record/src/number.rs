//! Numbers in JSON: what is no number is `null`, and what must come back to the bit does.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serializer};
use serde_json::{Number, Value};

/// For a field that may be NaN or infinite, which JSON cannot say: `null`, read back as NaN.
pub(crate) mod null_is_nan {
    use super::*;

    pub fn serialize<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if x.is_finite() { serializer.serialize_f64(*x) } else { serializer.serialize_none() }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}

/// The same for numbers by name.
pub(crate) mod nulls_are_nan {
    use super::*;

    pub fn serialize<S: Serializer>(map: &BTreeMap<String, f64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(name, x)| (name, x.is_finite().then_some(x))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
        let map: BTreeMap<String, Option<f64>> = BTreeMap::deserialize(deserializer)?;
        Ok(map.into_iter().map(|(name, x)| (name, x.unwrap_or(f64::NAN))).collect())
    }
}

/// Marks a fraction that stands in a text.
const FRACTION: &str = "f64:";

/// Writes every fraction as text. The JSON reader may miss a fraction's last bit; Rust's own does not.
pub(crate) fn fractions_to_text(value: Value) -> Value {
    match value {
        Value::Number(n) if n.is_f64() => Value::String(format!("{FRACTION}{:?}", n.as_f64().expect("a fraction"))),
        Value::Array(items) => items.into_iter().map(fractions_to_text).collect(),
        Value::Object(map) => map.into_iter().map(|(key, item)| (key, fractions_to_text(item))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// Undoes [`fractions_to_text`].
pub(crate) fn text_to_fractions(value: Value) -> Value {
    match &value {
        Value::String(text) => {
            let fraction = text.strip_prefix(FRACTION).and_then(|t| t.parse().ok()).and_then(Number::from_f64);
            fraction.map_or(value, Value::Number)
        }
        Value::Array(_) | Value::Object(_) => match value {
            Value::Array(items) => items.into_iter().map(text_to_fractions).collect(),
            Value::Object(map) => map.into_iter().map(|(key, item)| (key, text_to_fractions(item))).collect(),
            other => other,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
