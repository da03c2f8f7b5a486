//! Pixels to numbers, the first node of a network.
//!
//! By channel: `y = x * scale[c] + shift[c]`. Per image: `y = (x - mean) / sqrt(variance)` with mean and biased variance
//! over all positions and channels of one image; an image of one colour value gives zeros.
//! x: U8 `[N, .., C]`; y: F32 of the same shape.

use super::operands::{Inferred, Operands, image, result};
use super::{Cases, Gradient, Onnx, Op, OpRule};
use crate::cases::{Case, Numbers, Operand, ROUNDING, SUM};
use crate::reference::{Call, Tensor};
use crate::{DType, Shape};

const PIXELS: &str = "pixels are data; nothing before them is learned";

/// By channel.
pub const NORMALIZE: OpRule = OpRule {
    name: "normalize",
    infer: infer_by_channel,
    gradient: Gradient::None(PIXELS),
    reference: by_channel,
    flops: |_, _, result| 2 * result.sample_len() as u64,
    onnx: Onnx::Operator { name: "Mul", since: 14 },
    cases: Cases::Make(|| {
        let case = |batch, dims: &[usize], scale: &[f32], shift: &[f32]| {
            let op = Op::Normalize { scale: scale.to_vec(), shift: shift.to_vec() };
            Case::new(op, batch, vec![Operand::batched(dims, Numbers::Pixels)], ROUNDING)
        };
        vec![
            case(1, &[1, 1, 1], &[1.0 / 255.0], &[0.0]),
            case(3, &[4, 5, 3], &[0.016, 0.017, 0.015], &[-2.0, -1.9, 0.5]),
        ]
    }),
};

/// Per image.
pub const NORMALIZE_PER_IMAGE: OpRule = OpRule {
    name: "normalize_per_image",
    infer: infer_per_image,
    gradient: Gradient::None(PIXELS),
    reference: per_image,
    flops: |_, _, result| 5 * result.sample_len() as u64,
    onnx: Onnx::Operator { name: "ReduceMean", since: 13 },
    cases: Cases::Make(|| {
        let case = |batch, dims: &[usize]| {
            Case::new(Op::NormalizePerImage, batch, vec![Operand::batched(dims, Numbers::Pixels)], SUM)
        };
        vec![case(1, &[1, 1, 1]), case(2, &[4, 5, 3]), case(3, &[2, 1, 1])]
    }),
};

fn pixels<'a>(operands: &Operands<'a>) -> Result<&'a Shape, String> {
    match operands {
        &[(x, DType::U8)] if x.batch => Ok(x),
        _ => Err("takes one operand of pixels, U8 [N, .., channels]".to_string()),
    }
}

fn infer_by_channel(op: &Op, operands: &Operands<'_>) -> Inferred {
    let Op::Normalize { scale, shift } = op else { unreachable!("the row of normalize") };
    let x = pixels(operands)?;
    if scale.len() != x.channels() || shift.len() != x.channels() {
        let (scales, shifts, channels) = (scale.len(), shift.len(), x.channels());
        return Err(format!("{scales} scales and {shifts} shifts for {channels} channels"));
    }
    result(x.clone())
}

fn infer_per_image(_: &Op, operands: &Operands<'_>) -> Inferred {
    let x = pixels(operands)?;
    image(x)?;
    result(x.clone())
}

fn by_channel(call: &Call<'_>) -> Tensor {
    let Op::Normalize { scale, shift } = call.op else { unreachable!("the row of normalize") };
    let x = call.operands[0];
    let mut y = x.clone();
    for (place, value) in y.data.iter_mut().enumerate() {
        let channel = place % x.channels();
        *value = *value * f64::from(scale[channel]) + f64::from(shift[channel]);
    }
    y
}

fn per_image(call: &Call<'_>) -> Tensor {
    let x = call.operands[0];
    let length: usize = x.shape[1..].iter().product();
    let normalized = |image: &[f64]| {
        let mean = image.iter().sum::<f64>() / length as f64;
        let variance = image.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / length as f64;
        let divisor = if variance == 0.0 { 1.0 } else { variance.sqrt() };
        image.iter().map(|v| (v - mean) / divisor).collect::<Vec<f64>>()
    };
    Tensor::new(call.shape, x.rows(length).flat_map(normalized).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Graph;
    use crate::reference::{Feed, run};

    #[test]
    fn an_image_of_one_value_gives_zeros() {
        let mut g = Graph::new();
        let x = g.input("x", Shape::batched(&[1, 2, 1]), DType::U8);
        let y = g.push(Op::NormalizePerImage, &[x]);
        let mut feed = Feed::new(2);
        feed.inputs.insert("x".to_string(), Tensor::new(&[2, 1, 2, 1], vec![7.0, 7.0, 10.0, 20.0]));
        assert_eq!(run(&g, &feed)[y].data, [0.0, 0.0, -1.0, 1.0]);
    }
}
