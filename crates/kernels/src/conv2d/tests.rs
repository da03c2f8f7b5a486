//! Every pass on every instruction set against plain loops in f64, on ordinary and odd shapes.

use proptest::prelude::*;

use super::*;
use crate::Isa;
use crate::random::{Draws, Stream};

#[derive(Clone, Copy, Debug)]
struct Shape {
    n: usize,
    size: [usize; 2],
    inputs: usize,
    outputs: usize,
    groups: usize,
    window: Window,
}

impl Shape {
    fn output_size(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let padded = self.size[axis] + self.window.padding[axis] + self.window.padding[axis + 2];
            let reach = (self.window.kernel[axis] - 1) * self.window.dilation[axis] + 1;
            if padded < reach { 0 } else { (padded - reach) / self.window.stride[axis] + 1 }
        })
    }

    /// The geometry, with an output border to see that it is left alone.
    fn conv(&self) -> Conv2d {
        let [height, width] = self.output_size();
        Conv2d {
            input: View::bordered(self.size[0], self.size[1], self.inputs, self.window.padding),
            output: View::bordered(height, width, self.outputs, [1, 0, 0, 2]),
            window: self.window,
            groups: self.groups,
        }
    }
}

fn filled(view: &View, n: usize, draws: &mut Draws) -> Vec<f32> {
    let mut values = vec![0.0; view.len(n)];
    for row in view.rows(n) {
        values[row].iter_mut().for_each(|v| *v = draws.range(-1.0, 1.0) as f32);
    }
    values
}

/// Calls `visit(y index, x index, kernel index)` for every product of the definition.
fn products(shape: &Shape, mut visit: impl FnMut(usize, usize, usize)) {
    let (conv, [height, width]) = (shape.conv(), shape.output_size());
    let (gi, go) = (conv.group_inputs(), conv.group_outputs());
    let [kh, kw] = shape.window.kernel;
    for image in 0..shape.n {
        for (oy, ox, o) in (0..height)
            .flat_map(|y| (0..width).map(move |x| (y, x)))
            .flat_map(|(y, x)| (0..shape.outputs).map(move |o| (y, x, o)))
        {
            for (i, j, c) in
                (0..kh).flat_map(|i| (0..kw).map(move |j| (i, j))).flat_map(|(i, j)| (0..gi).map(move |c| (i, j, c)))
            {
                let y =
                    (oy * shape.window.stride[0] + i * shape.window.dilation[0]).checked_sub(shape.window.padding[0]);
                let x =
                    (ox * shape.window.stride[1] + j * shape.window.dilation[1]).checked_sub(shape.window.padding[1]);
                let (Some(y), Some(x)) = (y, x) else { continue };
                if y < shape.size[0] && x < shape.size[1] {
                    let input = conv.input.at(image, y, x) + o / go * gi + c;
                    visit(conv.output.at(image, oy, ox) + o, input, ((o * kh + i) * kw + j) * gi + c);
                }
            }
        }
    }
}

/// How far a method may be off, as a share of the largest number: a few roundings; F(4×4) has larger factors.
fn tolerance(method: Method) -> f64 {
    match method {
        Method::Direct | Method::SideBySide(_) | Method::Winograd(Size::Two) | Method::AlongRows(Size::Two) => 2e-6,
        Method::Winograd(Size::Four) | Method::AlongRows(Size::Four) => 2e-5,
    }
}

fn assert_close(what: &str, shape: &Shape, way: (Isa, Method), found: &[f32], expected: &[f64]) {
    assert_close_at(largest(expected), what, shape, way, found, expected);
}

fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(1e-3, |largest, x| largest.max(x.abs()))
}

/// The same where numbers as large as `scale` have been added.
fn assert_close_at(
    scale: f64,
    what: &str,
    shape: &Shape,
    (isa, method): (Isa, Method),
    found: &[f32],
    expected: &[f64],
) {
    for (index, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*f) - e).abs() <= tolerance(method) * scale,
            "{what} of {shape:?} on {}, {method:?}: [{index}] is {f}, not {e}",
            isa.name()
        );
    }
}

fn check(shape: Shape) {
    let conv = shape.conv();
    let mut draws = Stream::new(1, 2, 3, 4).draws();
    let x = filled(&conv.input, shape.n, &mut draws);
    let dy = filled(&conv.output, shape.n, &mut draws);
    let kernel: Vec<f32> = (0..conv.kernel_len()).map(|_| draws.range(-1.0, 1.0) as f32).collect();
    let bias: Vec<f32> = (0..shape.outputs).map(|_| draws.range(-1.0, 1.0) as f32).collect();
    let (mut y_true, mut dx_true, mut dk_true) = (vec![0f64; dy.len()], vec![0f64; x.len()], vec![0f64; kernel.len()]);
    for (index, row) in conv.output.rows(shape.n).flatten().enumerate() {
        y_true[row] = f64::from(bias[index % shape.outputs]);
    }
    products(&shape, |at_y, at_x, at_k| {
        let [xv, dv, kv] = [x[at_x], dy[at_y], kernel[at_k]].map(f64::from);
        y_true[at_y] += xv * kv;
        dx_true[at_x] += dv * kv;
        dk_true[at_k] += dv * xv;
    });
    // What is added lies without the border of y.
    let added_view = View::plain(conv.output.height, conv.output.width, shape.outputs);
    let added = filled(&added_view, shape.n, &mut draws);
    let mut sum_true = y_true.clone();
    for (to, from) in conv.output.rows(shape.n).flatten().zip(added_view.rows(shape.n).flatten()) {
        sum_true[to] += f64::from(added[from]);
    }
    let relu_true: Vec<f64> = y_true.iter().map(|y| y.max(0.0)).collect();
    for isa in Isa::available() {
        for product in Product::candidates(conv) {
            let (way, mut scratch) = ((isa, product.method), vec![f32::NAN; product.scratch_len()]);
            let mut packed = vec![0.0; product.packed_len()];
            product.pack(isa, &kernel, &mut packed);
            let mut y = vec![0.0; dy.len()];
            let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
            product.forward(isa, shape.n, &x, &packed, epilogue, &mut y, &mut scratch);
            assert_close("forward", &shape, way, &y, &y_true);
            let epilogue = Epilogue { relu: true, ..epilogue };
            product.forward(isa, shape.n, &x, &packed, epilogue, &mut y, &mut scratch);
            // A sum that relu takes away may have been the largest.
            assert_close_at(largest(&y_true), "forward with relu", &shape, way, &y, &relu_true);
            for relu in [false, true] {
                let ahead = &[&added[..], &kernel];
                let epilogue = Epilogue { added: Some((&added_view, &added)), relu, ahead, ..epilogue };
                product.forward(isa, shape.n, &x, &packed, epilogue, &mut y, &mut scratch);
                let expected: Vec<f64> = sum_true.iter().map(|y| if relu { y.max(0.0) } else { *y }).collect();
                assert_close_at(largest(&sum_true), "forward with a sum", &shape, way, &y, &expected);
            }
            let mut transposed = vec![0.0; product.packed_transposed_len()];
            product.pack_transposed(isa, &kernel, &mut transposed);
            let mut dx = vec![0.0; x.len()];
            product.input_gradient(isa, shape.n, &dy, &transposed, &mut dx, &mut scratch);
            assert_close("input gradient", &shape, way, &dx, &dx_true);
            // What is there is overwritten, then added to: n images by one of each.
            let mut gradient = vec![7.0; product.gradient_len()];
            let rest = [conv.input.len(1), conv.output.len(1)];
            product.kernel_gradient(isa, 1, &x, &dy, true, &mut gradient, &mut scratch);
            let (whole_x, whole_dy) = (&x[..], &dy[..]);
            let (x, dy) = (&x[rest[0].min(x.len())..], &dy[rest[1].min(dy.len())..]);
            product.kernel_gradient(isa, shape.n - 1, x, dy, false, &mut gradient, &mut scratch);
            // dx of both lies without a border, x with one.
            let plain = View::plain(shape.size[0], shape.size[1], shape.inputs);
            let to_plain = Product { conv: Conv2d { input: plain, ..conv }, ..product };
            let (mut plain_dx, mut gradient_of_both) = (vec![7.0; plain.len(shape.n)], vec![7.0; gradient.len()]);
            let ahead = &[&kernel[..], &bias];
            let mut both = |n: usize, [x, dy]: [&[f32]; 2], first: usize, begin: bool| {
                let (dx, gradient) = (&mut plain_dx[plain.len(first)..], &mut gradient_of_both[..]);
                let both = BothGradients { view: &conv.input, x, dy, packed: &transposed, dx, begin, gradient, ahead };
                to_plain.gradients(isa, n, both, &mut scratch);
            };
            both(1, [whole_x, whole_dy], 0, true);
            both(shape.n - 1, [x, dy], 1, false);
            let inside: Vec<f32> = conv.input.rows(shape.n).flatten().map(|at| dx[at]).collect();
            assert!(plain_dx == inside && gradient_of_both == gradient, "both gradients of {shape:?} by {way:?}");
            let mut dk = vec![0.0; kernel.len()];
            product.unpack(isa, &gradient, &mut dk);
            assert_close("kernel gradient", &shape, way, &dk, &dk_true);
        }
    }
}

fn square(kernel: usize, stride: usize, padding: usize) -> Window {
    Window { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 4], dilation: [1; 2] }
}

#[test]
fn depthwise_layers_agree_with_plain_loops() {
    let dilated = Window { kernel: [3, 2], stride: [1, 1], padding: [2, 1, 1, 0], dilation: [2, 3] };
    for (size, channels, window) in [
        ([16, 16], 96, square(3, 1, 1)),
        ([9, 8], 24, square(3, 2, 1)),
        ([7, 5], 7, square(5, 1, 2)), // parts of nine, nine, five, one and one taps
        ([1, 1], 19, square(3, 1, 1)),
        ([8, 9], 11, dilated),
        ([6, 6], 3, square(1, 1, 0)),
        ([5, 5], 16, square(2, 3, 0)),   // a stride beyond the kernel
        ([40, 9], 300, square(3, 1, 1)), // gradients in bands of rows
        ([37, 8], 260, square(3, 1, 0)), // of which the last has none of the output
        ([30, 8], 300, square(5, 1, 4)), // or more of it
    ] {
        check(Shape { n: 3, size, inputs: channels, outputs: channels, groups: channels, window });
    }
}

#[test]
fn ordinary_layers_agree_with_plain_loops() {
    for (size, inputs, outputs, window) in [
        (15, 3, 32, square(3, 1, 0)),
        (10, 32, 64, square(3, 1, 0)),
        (8, 16, 16, square(3, 1, 1)),
        (17, 3, 16, square(3, 1, 1)), // along rows, whose last tiles reach back
        (7, 8, 40, square(3, 1, 1)),  // of as many channels as there are, of more than a block
        (4, 1, 9, square(3, 1, 0)),   // of two rows, too narrow for four columns
        (8, 16, 32, square(3, 2, 1)),
        (9, 33, 17, square(1, 2, 0)),
        (12, 1, 6, square(5, 1, 2)),
    ] {
        check(Shape { n: 3, size: [size, size], inputs, outputs, groups: 1, window });
    }
}

#[test]
fn images_of_one_pixel_agree_with_plain_loops() {
    for (n, features, units) in [(1, 1, 1), (8, 100, 64), (3, 17, 10), (33, 7, 33)] {
        check(Shape { n, size: [1, 1], inputs: features, outputs: units, groups: 1, window: square(1, 1, 0) });
    }
}

#[test]
fn layers_of_more_than_a_part_agree_with_plain_loops() {
    check(Shape { n: 150, size: [1, 1], inputs: 1000, outputs: 20, groups: 1, window: square(1, 1, 0) });
    check(Shape { n: 2, size: [40, 41], inputs: 32, outputs: 24, groups: 1, window: square(3, 1, 1) });
    // Of one vector by one: whole tiles, and a last part of 44 or 14.
    check(Shape { n: 2, size: [26, 38], inputs: 16, outputs: 16, groups: 1, window: square(3, 1, 1) });
    // A part of tiles that all lie in the padding.
    let padded = Window { padding: [2; 4], ..square(3, 1, 0) };
    check(Shape { n: 1, size: [3, 94], inputs: 16, outputs: 16, groups: 1, window: padded });
    check(Shape { n: 2, size: [23, 30], inputs: 40, outputs: 70, groups: 1, window: square(3, 1, 1) });
    check(Shape { n: 9, size: [30, 15], inputs: 20, outputs: 8, groups: 2, window: square(3, 2, 1) });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn odd_shapes_agree_with_plain_loops(
        n in 1usize..4,
        size in [1usize..9, 1usize..9],
        (groups, per_in, per_out) in prop_oneof![
            (Just(1usize), 1usize..20, 1usize..40),
            (2usize..4, 1usize..4, 1usize..4),
            (2usize..19, Just(1usize), Just(1usize)),
        ],
        kernel in [1usize..4, 1usize..4],
        stride in [1usize..5, 1usize..5],
        padding in [0usize..3, 0usize..3, 0usize..3, 0usize..3],
        dilation in [1usize..3, 1usize..3],
    ) {
        let window = Window { kernel, stride, padding, dilation };
        let shape = Shape { n, size, inputs: groups * per_in, outputs: groups * per_out, groups, window };
        prop_assume!(shape.output_size().iter().all(|s| *s > 0));
        check(shape);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn transformed_kernels_agree_with_plain_loops(
        n in 1usize..4,
        size in [1usize..14, 1usize..14],
        inputs in 1usize..35,
        outputs in 1usize..35,
        padding in [0usize..3, 0usize..3, 0usize..3, 0usize..3],
    ) {
        let window = Window { padding, ..square(3, 1, 0) };
        let shape = Shape { n, size, inputs, outputs, groups: 1, window };
        prop_assume!(shape.output_size().iter().all(|s| *s > 1));
        check(shape);
    }
}

#[test]
fn the_choice_is_no_less_exact_than_asked_for() {
    let conv = |channels, window| Shape { n: 1, size: [8, 8], inputs: channels, outputs: 16, groups: 1, window }.conv();
    let method = |conv, arithmetic| Product::new(conv, arithmetic).method;
    for (arithmetic, expected, of_few_channels) in [
        (Arithmetic::Strict, Method::Direct, Method::Direct),
        (Arithmetic::Accurate, Method::Winograd(Size::Two), Method::AlongRows(Size::Two)),
        (Arithmetic::Fast, Method::Winograd(Size::Four), Method::AlongRows(Size::Four)),
    ] {
        assert_eq!(method(conv(16, square(3, 1, 1)), arithmetic), expected);
        assert_eq!(method(conv(3, square(3, 1, 1)), arithmetic), of_few_channels);
        assert_eq!(method(conv(16, square(3, 2, 1)), arithmetic), Method::Direct, "a stride");
        assert_eq!(method(conv(16, square(5, 1, 2)), arithmetic), Method::Direct, "another kernel");
    }
}

#[test]
fn the_smaller_tiles_are_taken_where_larger_ones_multiply_no_less() {
    for (size, expected) in [(2, Size::Two), (4, Size::Four), (5, Size::Two), (6, Size::Two), (7, Size::Four)] {
        let shape = Shape { n: 1, size: [size; 2], inputs: 16, outputs: 16, groups: 1, window: square(3, 1, 1) };
        assert_eq!(Product::new(shape.conv(), Arithmetic::Fast).method, Method::Winograd(expected), "{size} rows");
    }
}

#[test]
fn pixels_stand_side_by_side_where_that_takes_fewer_vectors() {
    for (size, outputs, window, expected) in [
        (28, 6, square(5, 1, 2), Method::SideBySide(2)), // 6 columns for two pixels instead of 5 for each
        (28, 8, square(3, 1, 1), Method::SideBySide(2)),
        (32, 1, square(3, 1, 1), Method::SideBySide(16)),
        (29, 6, square(5, 1, 2), Method::Direct), // an odd row
        (28, 16, square(5, 1, 2), Method::Direct),
        (28, 6, square(1, 1, 0), Method::Direct), // two columns for two pixels
        (28, 6, square(5, 2, 2), Method::SideBySide(2)),
    ] {
        let shape = Shape { n: 1, size: [size; 2], inputs: 1, outputs, groups: 1, window };
        assert_eq!(Product::new(shape.conv(), Arithmetic::Fast).method, expected, "{outputs} of {size} by {window:?}");
    }
}

#[test]
fn relu_lets_through_what_is_not_a_number() {
    for (channels, groups) in [(5, 1), (3, 3)] {
        let window = square(1, 1, 0);
        let shape = Shape { n: 1, size: [1, 2], inputs: channels, outputs: channels, groups, window };
        let conv = Conv2d { output: View::plain(1, 2, channels), ..shape.conv() };
        let mut x = vec![-1.0; 2 * channels];
        x[0] = f32::NAN;
        let product = Product { conv, method: Method::Direct };
        let mut packed = vec![0.0; product.packed_len()];
        for isa in Isa::available() {
            product.pack(isa, &vec![1.0; conv.kernel_len()], &mut packed);
            let mut y = vec![1.0; 2 * channels];
            let epilogue = Epilogue { relu: true, ..Epilogue::default() };
            product.forward(isa, 1, &x, &packed, epilogue, &mut y, &mut []);
            assert!(y[0].is_nan() && y[channels..].iter().all(|&y| y == 0.0), "{}: {y:?}", isa.name());
        }
    }
}
