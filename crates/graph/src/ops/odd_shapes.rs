//! Convolutions, pools and batch norm on shapes that nobody would think of: images of one pixel, strides beyond the
//! kernel, padding wider than the image, kernels with holes.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::{Op, Window};
use crate::cases::{Case, Numbers, Operand, SUM};
use crate::finite_differences;

/// Runs `property` on 300 values of `strategy`, always the same ones; a failure is printed and made small.
fn for_many<S: Strategy>(strategy: S, property: impl Fn(S::Value)) {
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, b"graph: shapes nobody thinks of!!");
    let run = |value| {
        property(value);
        Ok(())
    };
    TestRunner::new_with_rng(config, random).run(&strategy, run).unwrap_or_else(|failure| panic!("{failure}"));
}

fn windows(dilations: std::ops::Range<usize>) -> impl Strategy<Value = Window> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let padding = [0..3usize, 0..3, 0..3, 0..3];
    (pair(1..4), pair(1..5), padding, pair(dilations)).prop_map(|(kernel, stride, padding, dilation)| Window {
        kernel,
        stride,
        padding,
        dilation,
    })
}

fn images() -> impl Strategy<Value = [usize; 3]> {
    [1..6usize, 1..6, 1..4]
}

/// A case fits, and its gradients are right; or it does not fit, and `excuse` holds.
fn check(op: Op, batch: usize, operands: Vec<Operand>, excuse: bool) {
    let case = Case::new(op, batch, operands, SUM);
    let shapes: Vec<_> = case.operands.iter().map(|operand| (&operand.shape, operand.dtype())).collect();
    match case.op.infer(&shapes) {
        Ok(_) => {
            assert!(!excuse, "{case:?} cannot be computed and is accepted");
            let program = case.program();
            finite_differences::check(&program.graph, &program.feed, program.result, &program.operands);
        }
        Err(why) => assert!(excuse, "{case:?} is refused: {why}"),
    }
}

/// Whether the window reaches beyond the padded image.
fn too_large(window: Window, image: [usize; 3]) -> bool {
    [0, 1].iter().any(|&axis| {
        let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        reach > image[axis] + window.padding[axis] + window.padding[axis + 2]
    })
}

#[test]
fn convolutions() {
    let groups_and_filters = (1..4usize, 1..4usize);
    for_many((1..4usize, images(), windows(1..3), groups_and_filters), |(batch, image, window, (groups, filters))| {
        let [height, width, channels] = image;
        let x = Operand::batched(&[height, width, channels * groups], Numbers::Signed);
        let [down, right] = window.kernel;
        let kernel = Operand::fixed(&[filters * groups, down, right, channels], Numbers::Signed);
        check(Op::Conv2d { window, groups }, batch, vec![x, kernel], too_large(window, image));
    });
}

#[test]
fn pools() {
    for_many((1..4usize, images(), windows(1..2), any::<bool>()), |(batch, image, window, largest)| {
        let op = if largest { Op::MaxPool2d { window } } else { Op::AveragePool2d { window } };
        let [top, left, bottom, right] = window.padding;
        let only_padding = top.max(bottom) >= window.kernel[0] || left.max(right) >= window.kernel[1];
        let x = Operand::batched(&image, Numbers::Signed);
        check(op, batch, vec![x], only_padding || too_large(window, image));
    });
}

#[test]
fn batch_norms_in_evaluation() {
    for_many((1..4usize, images()), |(batch, image)| {
        let row = Operand::fixed(&[image[2]], Numbers::Signed);
        let statistics = Operand::fixed(&[2, image[2]], Numbers::Statistics);
        let x = Operand::batched(&image, Numbers::Signed);
        let case = Case::new(Op::BatchNorm { epsilon: 1e-5 }, batch, vec![x, statistics, row.clone(), row], SUM);
        let program = case.program();
        let [x, _, scale, offset] = program.operands[..] else { unreachable!("four operands") };
        finite_differences::check(&program.graph, &program.feed, program.result, &[x, scale, offset]);
    });
}
