//! What operators demand of their operands, and how they say that it is not so.

use crate::{DType, Shape};

/// Shape and type of operands, as a row's `infer` is handed them.
pub type Operands<'a> = [(&'a Shape, DType)];

/// A shape and type, or why not.
pub type Inferred = Result<(Shape, DType), String>;

/// Exactly `COUNT` operands, all F32.
pub fn numbers<'a, const COUNT: usize>(operands: &Operands<'a>) -> Result<[&'a Shape; COUNT], String> {
    if let Some((_, dtype)) = operands.iter().find(|(_, dtype)| *dtype != DType::F32) {
        return Err(format!("takes F32 operands, not {dtype:?}"));
    }
    let shapes: Vec<&Shape> = operands.iter().map(|(shape, _)| *shape).collect();
    shapes.try_into().map_err(|shapes: Vec<&Shape>| format!("takes {COUNT} operands, not {}", shapes.len()))
}

/// An image `[N, height, width, channels]`.
pub fn image(shape: &Shape) -> Result<[usize; 3], String> {
    match (shape.batch, shape.dims.as_slice()) {
        (true, &[height, width, channels]) => Ok([height, width, channels]),
        _ => Err(format!("takes an image [N, height, width, channels], not {shape}")),
    }
}

/// A vector a sample, `[N, features]`.
pub fn vectors(shape: &Shape) -> Result<usize, String> {
    match (shape.batch, shape.dims.as_slice()) {
        (true, &[features]) => Ok(features),
        _ => Err(format!("takes a vector a sample [N, features], not {shape}")),
    }
}

/// A value with a batch and at least one more axis, the channels: how many.
pub fn batched_channels(shape: &Shape) -> Result<usize, String> {
    match (shape.batch, shape.dims.last()) {
        (true, Some(&channels)) => Ok(channels),
        _ => Err(format!("takes a value [N, .., channels], not {shape}")),
    }
}

/// This very shape.
pub fn exactly(what: &str, shape: &Shape, expected: &Shape) -> Result<(), String> {
    match shape == expected {
        true => Ok(()),
        false => Err(format!("takes {what} of shape {expected}, not {shape}")),
    }
}

/// One F32 operand of any shape, which is the shape of the result.
pub fn same_as_operand(operands: &Operands<'_>) -> Inferred {
    let [x] = numbers(operands)?;
    Ok((x.clone(), DType::F32))
}

/// Two F32 operands of one shape, which is the shape of the result.
pub fn same_as_both(operands: &Operands<'_>) -> Inferred {
    let [a, b] = numbers(operands)?;
    exactly("a second operand", b, a)?;
    Ok((a.clone(), DType::F32))
}

/// An F32 result.
pub fn result(shape: Shape) -> Inferred {
    Ok((shape, DType::F32))
}

/// No arithmetic, only moving.
pub fn no_flops(_: &crate::Op, _: &[&Shape], _: &Shape) -> u64 {
    0
}

/// Why gradient operators have no gradient of their own.
pub const SECOND_ORDER: &str = "is a gradient already; no loss depends on gradients";
