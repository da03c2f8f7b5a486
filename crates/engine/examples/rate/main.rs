//! Trains a network on random images in which the class can be seen, and prints its rate: that of
//! experiments/cifar_cnn.yaml, or another.
//!
//!     cargo run --release -p engine --example rate -- --batch 128 --threads 2 --windows 6 [--arithmetic fast]
//!         [--network resnet20|mobilenet|vgg|lenet5|mlp|smooth]
//!
//! Pixels in memory as u8; one warm-up window is left out, a window is 6,400 images (640 of ResNet-20, 256 of MobileNet-v2
//! and VGG, 12,800 of LeNet-5 and the perceptron). Prints one JSON line, as the peers in benches/ do;
//! `images_per_cpu_second` is by the time that the threads ran, which other programs on the machine disturb less. With
//! `--plan` it prints the plan instead, with `--profile` what each part of a step takes.

mod networks;

use std::time::Instant;

use cpu_time::{ProcessTime, ThreadTime};
use engine::{Arithmetic, Feed, Input, Program, Settings, Threads, Variables};
use kernels::random::Stream;
use kernels::{Isa, peak};

use networks::{Network, cifar_cnn, lenet5, mlp, mobilenet, resnet20, smooth, vgg};

/// The program's: its large pages are part of what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The value of an option.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn number(name: &str, default: usize) -> usize {
    option(name).map_or(default, |value| value.parse().expect("a number"))
}

fn is_asked(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

fn main() {
    let (batch, windows) = (number("--batch", 128), number("--windows", 6));
    let (Network { graph, state }, images, shape) = match option("--network").as_deref() {
        Some("resnet20") => (resnet20(), 640, [32, 32, 3]),
        Some("lenet5") => (lenet5(), 12_800, [28, 28, 1]),
        Some("smooth") => (smooth(), 6400, [32, 32, 3]),
        Some("mobilenet") => (mobilenet(), 256, [32, 32, 3]),
        Some("vgg") => (vgg(), 256, [64, 64, 3]),
        Some("mlp") => (mlp(), 12_800, [28, 28, 1]),
        _ => (cifar_cnn(), 6400, [32, 32, 3]),
    };
    let threads = Threads::new(number("--threads", 2));
    let isa =
        option("--isa").map_or(Isa::best(), |name| Isa::by_name(&name).expect("an instruction set of this machine"));
    let arithmetic = match option("--arithmetic").as_deref() {
        None | Some("fast") => Arithmetic::Fast,
        Some("accurate") => Arithmetic::Accurate,
        Some("strict") => Arithmetic::Strict,
        Some(other) => panic!("no arithmetic is {other}"),
    };
    let settings = Settings { isa, threads: threads.clone(), arithmetic, keep_all: false };
    let mut program = Program::new(&graph, &settings);
    if is_asked("--plan") {
        return print!("{}", program.plan(batch));
    }
    let mut variables = initial(&state);
    let data = Data::random(images, shape);
    if is_asked("--profile") {
        return profile(&mut program, &mut variables, &data, batch, isa);
    }
    let mut window = || {
        let (start, cpu) = (Instant::now(), ProcessTime::now());
        for first in (0..images / batch * batch).step_by(batch) {
            data.feed(first, batch, |feed| program.run(&mut variables, feed).expect("nothing is guarded"));
        }
        [start.elapsed(), cpu.elapsed()].map(|time| (images / batch * batch) as f64 / time.as_secs_f64())
    };
    window();
    let rates: Vec<[f64; 2]> = (0..windows).map(|_| window().map(|rate| (rate * 10.0).round() / 10.0)).collect();
    let threads = threads.count();
    let loss = program.output("loss")[0];
    let column = |index: usize| rates.iter().map(|rates| rates[index]).collect::<Vec<f64>>();
    println!(
        "{{\"peer\": \"etalon\", \"batch\": {batch}, \"threads\": {threads}, \"images_per_second\": {:?}, \
         \"images_per_cpu_second\": {:?}, \"loss\": {loss}}}",
        column(0),
        column(1)
    );
}

/// What each part of a step takes, for an image, by the time that its thread ran; and the rate of its products as a share
/// of the processor's multiply-adds, measured right before.
fn profile(program: &mut Program, variables: &mut Variables, data: &Data, batch: usize, isa: Isa) {
    let ceiling = (0..20).map(|_| ceiling(isa)).fold(0.0, f64::max);
    println!("ceiling: {ceiling:.1} GFLOP/s a core");
    let runs = data.labels.len() / batch;
    let parts = data.feed(0, batch, |feed| {
        program.run(variables, feed).expect("nothing is guarded");
        program.profile(variables, feed, runs, nanoseconds).expect("nothing is guarded")
    });
    let images = (runs * batch) as f64;
    for part in &parts {
        let microseconds = part.nanoseconds as f64 * 1e-3 / images;
        let share = (part.flops * runs as u64) as f64 / part.nanoseconds as f64 / ceiling * 100.0;
        let share = if part.flops > 0 { format!("{share:4.0} %") } else { String::new() };
        let direction = if part.backward { "back" } else { "" };
        println!("{microseconds:8.2} us {share:6} {direction:4} {:24} {}", part.path, part.work);
    }
    let total: u64 = parts.iter().map(|part| part.nanoseconds).sum();
    println!("{:8.2} us an image", total as f64 * 1e-3 / images);
}

fn nanoseconds() -> u64 {
    ThreadTime::now().as_duration().as_nanos() as u64
}

/// The multiply-adds of one core, in GFLOP/s.
fn ceiling(isa: Isa) -> f64 {
    const ROUNDS: u64 = 300_000;
    let start = nanoseconds();
    std::hint::black_box(peak::multiply_adds(isa, std::hint::black_box(ROUNDS)));
    peak::operations(isa, ROUNDS) as f64 / (nanoseconds() - start) as f64
}

/// Images with labels.
struct Data {
    pixels: Vec<u8>,
    /// Numbers of an image.
    size: usize,
    labels: Vec<u32>,
}

impl Data {
    /// Three parts a picture of the class, of 4 × 4 patches, and one part noise, as `etalon bench` draws them: where there is
    /// nothing to learn, gradients die, and with them half of the work.
    fn random(images: usize, [height, width, channels]: [usize; 3]) -> Data {
        let mut draws = Stream::new(1, 2, 0, 0).draws();
        let patches: Vec<u8> = (0..10 * 16 * channels).map(|_| draws.next_u32() as u8).collect();
        let labels: Vec<u32> = (0..images).map(|_| draws.below(10) as u32).collect();
        let mut pixels = Vec::with_capacity(images * height * width * channels);
        for &label in &labels {
            for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
                let patch = (label as usize * 4 + row * 4 / height) * 4 + column * 4 / width;
                let of_class = &patches[patch * channels..][..channels];
                pixels.extend(of_class.iter().map(|of_class| of_class / 4 * 3 + draws.next_u32() as u8 / 4));
            }
        }
        // One label in eight says nothing, or all would soon be known, and nothing would flow back.
        let labels = labels.iter().map(|&label| if draws.below(8) == 0 { draws.below(10) as u32 } else { label });
        Data { pixels, size: height * width * channels, labels: labels.collect() }
    }

    /// Hands on the images from `first` on.
    fn feed<R>(&self, first: usize, batch: usize, run: impl FnOnce(&Feed<'_>) -> R) -> R {
        let inputs = [
            ("image", Input::U8(&self.pixels[first * self.size..][..batch * self.size])),
            ("label", Input::Index(&self.labels[first..][..batch])),
        ];
        run(&Feed { batch, inputs: &inputs, seed: 0, epoch: 0, samples: &[] })
    }
}

/// He's uniform distribution for kernels, ones for scales, zeros for all else.
fn initial(state: &[(String, Vec<usize>)]) -> Variables {
    let mut variables = Variables::new(state);
    for (number, (path, dims)) in state.iter().enumerate() {
        let len = dims.iter().product();
        let limit = (6.0 / dims[1..].iter().product::<usize>() as f64).sqrt();
        let mut draws = Stream::new(1, 1, 0, number as u64).draws();
        if path.ends_with("kernel") {
            let values: Vec<f32> = (0..len).map(|_| draws.range(-limit, limit) as f32).collect();
            variables.set(path, &values);
        } else if path.ends_with("scale") {
            variables.set(path, &vec![1.0; len]);
        }
    }
    variables
}
