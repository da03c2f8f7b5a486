//! Every way to compute the convolutions and dense layers of an experiment, timed on one thread: what the plan chooses from.

use std::hint::black_box;
use std::time::Instant;

use engine::{Program, Settings, Threads};
use kernels::conv2d::{Arithmetic, Conv2d, Epilogue, Method, Product};
use kernels::dense::Dense;
use kernels::{Isa, View};
use serde_json::{Value, json};
use trainer::BareSteps;

use super::ceiling;
use crate::cli::Common;
use crate::experiment::Checked;
use crate::pipeline;

/// Images that go through a kernel together, as in a shard of the plan.
const IMAGES: usize = 8;

/// Most samples that go through a dense layer together.
const SAMPLES: usize = 64;

/// How long each kernel is run; its fastest run counts.
const SECONDS: f64 = 0.03;

/// The kernels of an experiment.
pub struct Kernels {
    name: String,
    isa: Isa,
    ceiling_gflops: f64,
    rows: Vec<Row>,
}

/// One way to compute the convolution of a layer.
struct Row {
    layer: String,
    shape: String,
    method: String,
    /// The arithmetics whose plans take it.
    taken_by: Vec<&'static str>,
    /// Whether the experiment's plan does.
    is_taken: bool,
    /// Of one pass over one image, counted directly.
    flops: u64,
    /// Forward, gradient of the input, gradient of the kernel: billions of operations a second, counted directly.
    gflops: [f64; 3],
}

const ARITHMETICS: [(Arithmetic, &str); 3] =
    [(Arithmetic::Strict, "strict"), (Arithmetic::Accurate, "accurate"), (Arithmetic::Fast, "fast")];

/// Times all candidates for each different shape of an experiment's training.
pub fn kernels(checked: &Checked, common: &Common) -> Kernels {
    let settings = Settings { threads: Threads::new(1), ..pipeline::settings(common) };
    let settings = pipeline::training_settings(checked, &settings);
    let batch = checked.training.train.batch_size;
    let steps = BareSteps::new(&checked.network, &checked.training, checked.experiment.seed, batch, &settings);
    let mut seen: Vec<Conv2d> = Vec::new();
    let mut rows = Vec::new();
    let program = Program::new(steps.graph(), &settings);
    for (layer, product) in program.products(batch) {
        let conv = alone(&product.conv);
        if seen.contains(&conv) {
            continue;
        }
        seen.push(conv);
        for candidate in Product::candidates(conv) {
            let takes = |arithmetic: &Arithmetic| Product::new(conv, *arithmetic) == candidate;
            rows.push(Row {
                layer: layer.clone(),
                shape: shape(&conv),
                method: candidate.method.to_string(),
                taken_by: ARITHMETICS.iter().filter(|(one, _)| takes(one)).map(|(_, name)| *name).collect(),
                is_taken: candidate.method == product.method,
                flops: conv.flops(),
                gflops: rates(settings.isa, &candidate),
            });
        }
    }
    let (samples, mut seen) = (batch.min(SAMPLES), Vec::<Dense>::new());
    for (layer, dense) in program.dense_layers(batch) {
        if !seen.contains(&dense) {
            seen.push(dense);
            // What is zero behind relu and dropout is seen in the numbers, not in the plan.
            for (behind, given) in [("", numbers as fn(usize) -> Vec<f32>), (", half zero", half_zero)] {
                rows.push(Row {
                    layer: layer.clone(),
                    shape: format!("{} to {}, {samples} samples", dense.features, dense.units),
                    method: format!("{}{behind}", Method::Direct),
                    taken_by: ARITHMETICS.iter().map(|(_, name)| *name).collect(),
                    is_taken: true,
                    flops: dense.flops(),
                    gflops: dense_rates(settings.isa, &dense, samples, given),
                });
            }
        }
    }
    let ceiling_gflops = ceiling::gflops(&settings);
    Kernels { name: checked.experiment.name.clone(), isa: settings.isa, ceiling_gflops, rows }
}

/// The same convolution on images that lie as one pass alone wants them: with the border that it reads.
fn alone(conv: &Conv2d) -> Conv2d {
    let (input, output, padding) = (&conv.input, &conv.output, conv.window.padding);
    Conv2d {
        input: View::bordered(input.height, input.width, input.channels, padding),
        output: View::plain(output.height, output.width, output.channels),
        ..*conv
    }
}

/// `32x32x3 to 30x30x32, 3x3`.
fn shape(conv: &Conv2d) -> String {
    let (input, output, window) = (&conv.input, &conv.output, &conv.window);
    let stride = if window.stride == [1; 2] { String::new() } else { format!("/{}", window.stride[0]) };
    let groups = if conv.groups == 1 { String::new() } else { format!(", {} groups", conv.groups) };
    format!(
        "{}x{}x{} to {}x{}x{}, {}x{}{stride}{groups}",
        input.height,
        input.width,
        input.channels,
        output.height,
        output.width,
        output.channels,
        window.kernel[0],
        window.kernel[1]
    )
}

/// Numbers that are neither zero nor denormal.
fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7 % 13) as f32 / 13.0 - 0.45).collect()
}

fn rates(isa: Isa, product: &Product) -> [f64; 3] {
    let (conv, n) = (&product.conv, IMAGES);
    let (x, mut dx) = (numbers(conv.input.len(n)), numbers(conv.input.len(n)));
    let (dy, mut y) = (numbers(conv.output.len(n)), numbers(conv.output.len(n)));
    let kernel = numbers(conv.kernel_len());
    let (mut packed, mut transposed) = (vec![0.0; product.packed_len()], vec![0.0; product.packed_transposed_len()]);
    let mut scratch = vec![0.0; product.scratch_len()];
    product.pack(isa, &kernel, &mut packed);
    product.pack_transposed(isa, &kernel, &mut transposed);
    let mut gradient = vec![0.0; product.gradient_len()];
    let epilogue = Epilogue { relu: true, ..Epilogue::default() };
    [
        fastest(|| product.forward(isa, n, &x, &packed, epilogue, black_box(&mut y), &mut scratch)),
        fastest(|| product.input_gradient(isa, n, &dy, &transposed, black_box(&mut dx), &mut scratch)),
        fastest(|| product.kernel_gradient(isa, n, &x, &dy, true, black_box(&mut gradient), &mut scratch)),
    ]
    .map(|seconds| (conv.flops() * n as u64) as f64 * 1e-9 / seconds)
}

/// The same, half of them zero in no order that a processor could guess.
fn half_zero(len: usize) -> Vec<f32> {
    let is_zero = |i: usize| (i as u32).wrapping_mul(0x9e37_79b9).count_ones().is_multiple_of(2);
    numbers(len).into_iter().enumerate().map(|(i, number)| if is_zero(i) { 0.0 } else { number }).collect()
}

/// Of samples and gradients that `given` makes.
fn dense_rates(isa: Isa, dense: &Dense, n: usize, given: fn(usize) -> Vec<f32>) -> [f64; 3] {
    let Dense { features, units } = *dense;
    let (x, mut dx) = (given(n * features), numbers(n * features));
    let (dy, mut y) = (given(n * units), numbers(n * units));
    let (kernel, mut gradient) = (numbers(dense.kernel_len()), numbers(dense.kernel_len()));
    let mut scratch = vec![0.0; dense.scratch_len().max(Dense::kernel_gradient_scratch_len(units, n))];
    let row = |s: usize| &x[s * features..][..features];
    let dy_row = |s: usize| &dy[s * units..][..units];
    [
        fastest(|| dense.forward(isa, n, &x, &kernel, None, true, black_box(&mut y), &mut scratch)),
        fastest(|| dense.input_gradient(isa, n, &dy, &kernel, black_box(&mut dx), &mut scratch)),
        fastest(|| dense.kernel_gradient(isa, n, &row, &dy_row, 0..units, black_box(&mut gradient), &mut scratch)),
    ]
    .map(|seconds| (dense.flops() * n as u64) as f64 * 1e-9 / seconds)
}

/// The shortest of many runs, in seconds.
fn fastest(mut run: impl FnMut()) -> f64 {
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    while start.elapsed().as_secs_f64() < SECONDS {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

impl Kernels {
    /// A table of at most 80 columns; where shapes are long they stand on a line of their own.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}: kernels on 1 thread, {IMAGES} images, {}; ceiling {:.0} GFLOP/s\n\n\
             {:<28}{:>9}{:>9}{:>9}  taken by\n",
            self.name,
            self.isa.name(),
            self.ceiling_gflops,
            "GFLOP/s of direct products",
            "forward",
            "input",
            "kernel"
        );
        let mut last = "";
        for row in &self.rows {
            if last != row.shape {
                text.push_str(&format!("{}: {}\n", row.layer, row.shape));
                last = &row.shape;
            }
            let [forward, input, kernel] = row.gflops;
            let mark = if row.is_taken { '*' } else { ' ' };
            let taken = row.taken_by.join(", ");
            let line = format!("  {mark} {:<24}{forward:>9.0}{input:>9.0}{kernel:>9.0}  {taken}", row.method);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push_str("\n* what this experiment's plan takes\n");
        text
    }

    /// One line for programs.
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "layer": row.layer,
                "shape": row.shape,
                "method": row.method,
                "taken_by": row.taken_by,
                "is_taken": row.is_taken,
                "flops_per_image": row.flops,
                "gflops_forward": row.gflops[0],
                "gflops_input_gradient": row.gflops[1],
                "gflops_kernel_gradient": row.gflops[2],
            })
        };
        json!({
            "name": self.name,
            "images": IMAGES,
            "instruction_set": self.isa.name(),
            "ceiling_gflops": self.ceiling_gflops,
            "kernels": self.rows.iter().map(row).collect::<Vec<Value>>(),
        })
    }
}
