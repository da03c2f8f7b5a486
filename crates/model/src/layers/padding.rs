//! How windows meet the edges of an image.

use graph::ops::Window;
use spec::{Choice, Node, Range, Type, Word};

use super::{Refusal, show};

/// The key `padding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// None.
    Valid,
    /// So that the output has ceil(input / stride) places, the odd one at the end (ONNX SAME_UPPER).
    Same,
    /// This many pixels on each side.
    Each(usize),
}

impl Word for Padding {
    const TYPE: Type = Type::Either(&[
        Type::Integer(Range { low: 0.0, high: 65536.0, ..Range::ANY }),
        Type::Choice(&[
            Choice { name: "valid", doc: "No padding." },
            Choice { name: "same", doc: "ceil(input / stride) places, the odd one at the end." },
        ]),
    ]);

    fn read(node: &Node) -> Padding {
        match node.text() {
            Some("valid") => Padding::Valid,
            Some("same") => Padding::Same,
            _ => Padding::Each(usize::read(node)),
        }
    }
}

/// A window over an image of this size, and the size of what it gives.
pub(crate) fn window(
    image: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
) -> Result<(Window, [usize; 2]), Refusal> {
    let reach = |axis: usize| (kernel[axis] - 1) * dilation[axis] + 1;
    let sides = |axis: usize| match padding {
        Padding::Valid => [0, 0],
        Padding::Each(pixels) => [pixels, pixels],
        Padding::Same => {
            let places = image[axis].div_ceil(stride[axis]);
            let total = ((places.max(1) - 1) * stride[axis] + reach(axis)).saturating_sub(image[axis]);
            [total / 2, total - total / 2]
        }
    };
    let ([top, bottom], [left, right]) = (sides(0), sides(1));
    let window = Window { kernel, stride, padding: [top, left, bottom, right], dilation };
    let output = window.output(image).map_err(|_| {
        let reach = [reach(0), reach(1)];
        Refusal::new(format!("a window of {} does not fit into an image of {}", show(&reach), show(&image)))
            .help("use a smaller kernel_size, `padding: same`, or fewer pools and strides before it")
    })?;
    Ok((window, output))
}
