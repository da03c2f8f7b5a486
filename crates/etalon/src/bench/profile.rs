//! Where the time goes: what each layer takes forward and backward, and how near its products come to the ceiling.

use std::sync::OnceLock;
use std::time::Instant;

use engine::Part;
use serde_json::{Value, json};

use super::rates::Rates;
use crate::failure::Failure;

/// Nanoseconds since the first call.
pub fn clock() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Most runs that are profiled.
const MOST_RUNS: usize = 1000;

/// Most layers that are shown by themselves; of more, those of a block are one line.
const MOST_LINES: usize = 30;

/// What stands for work of no single layer.
const REST: &str = "(whole batch)";

/// What a layer takes, of all threads together.
#[derive(Clone, Debug, Default, PartialEq)]
struct Layer {
    path: String,
    /// Nanoseconds.
    forward: f64,
    backward: f64,
    /// Floating-point operations of products.
    flops: f64,
    /// Nanoseconds of the parts that have products.
    in_products: f64,
}

/// All layers in the order of the network, for one image.
pub struct Layers(Vec<Layer>);

impl Layers {
    /// Profiles about `seconds` of runs, each of `batch` images, which go at the rate that was measured.
    pub fn of(
        seconds: f64,
        batch: usize,
        rates: &Rates,
        profile: impl FnOnce(usize) -> Result<Vec<Part>, Failure>,
    ) -> Result<Layers, Failure> {
        let runs = ((seconds * rates.median() / batch as f64) as usize).clamp(1, MOST_RUNS);
        Ok(Layers::new(&profile(runs)?, (runs * batch) as f64, runs as f64))
    }

    fn new(parts: &[Part], images: f64, runs: f64) -> Layers {
        let mut layers: Vec<Layer> = Vec::new();
        for part in parts {
            let path = if part.path.is_empty() { REST } else { &part.path };
            let index = layers.iter().position(|layer| layer.path == path).unwrap_or_else(|| {
                layers.push(Layer { path: path.to_string(), ..Layer::default() });
                layers.len() - 1
            });
            let (layer, nanoseconds) = (&mut layers[index], part.nanoseconds as f64 / images);
            if part.backward {
                layer.backward += nanoseconds
            } else {
                layer.forward += nanoseconds
            }
            if part.flops > 0 {
                layer.flops += part.flops as f64 * runs / images;
                layer.in_products += nanoseconds;
            }
        }
        layers.sort_by_key(|layer| layer.path == REST);
        Layers(layers)
    }

    /// A table of at most 80 columns; `ceiling` is that of one thread, in GFLOP/s.
    pub fn text(&self, ceiling: f64) -> String {
        let lines = self.lines();
        let total: f64 = lines.iter().map(Layer::nanoseconds).sum();
        let width = lines.iter().map(|layer| layer.path.chars().count()).max().unwrap_or(0).clamp(14, 36);
        let mut text = format!("{:<width$}  forward  backward    share  of the ceiling\n", "us an image");
        for layer in &lines {
            let ceiling = match layer.gflops() {
                Some(gflops) => format!("{:.0} %", 100.0 * gflops / ceiling),
                None => String::new(),
            };
            let path = cut(&layer.path, width);
            let (forward, backward) = (microseconds(layer.forward), microseconds(layer.backward));
            let share = format!("{:.0} %", 100.0 * layer.nanoseconds() / total);
            let line = format!("{path:<width$}  {forward:>7}  {backward:>8}  {share:>7}  {ceiling:>14}");
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    /// The layers, or where there are too many the smallest blocks that are few enough.
    fn lines(&self) -> Vec<Layer> {
        let deepest = self.0.iter().map(|layer| layer.path.split('/').count()).max().unwrap_or(1);
        let mut depths = (1..=deepest).rev().map(|depth| self.blocks(depth));
        depths.find(|blocks| blocks.len() <= MOST_LINES).unwrap_or_else(|| self.blocks(1))
    }

    /// The layers with equal first `depth` names added.
    fn blocks(&self, depth: usize) -> Vec<Layer> {
        let mut blocks: Vec<Layer> = Vec::new();
        for layer in &self.0 {
            let block: Vec<&str> = layer.path.split('/').take(depth).collect();
            let block = block.join("/");
            match blocks.iter_mut().find(|known| known.path == block) {
                Some(known) => known.take_in(layer),
                None => blocks.push(Layer { path: block, ..layer.clone() }),
            }
        }
        blocks
    }

    /// A list with an object a layer.
    pub fn json(&self) -> Value {
        let layer = |layer: &Layer| {
            json!({
                "path": layer.path,
                "forward_us": layer.forward / 1e3,
                "backward_us": layer.backward / 1e3,
                "gflops": layer.gflops(),
            })
        };
        self.0.iter().map(layer).collect()
    }
}

impl Layer {
    fn nanoseconds(&self) -> f64 {
        self.forward + self.backward
    }

    /// Of one thread, where there are products.
    fn gflops(&self) -> Option<f64> {
        (self.flops > 0.0).then(|| self.flops / self.in_products)
    }

    fn take_in(&mut self, other: &Layer) {
        self.forward += other.forward;
        self.backward += other.backward;
        self.flops += other.flops;
        self.in_products += other.in_products;
    }
}

fn microseconds(nanoseconds: f64) -> String {
    if nanoseconds == 0.0 { String::new() } else { format!("{:.2}", nanoseconds / 1e3) }
}

/// The end of a path that is too long.
fn cut(path: &str, width: usize) -> String {
    let len = path.chars().count();
    if len <= width {
        path.to_string()
    } else {
        format!("…{}", path.chars().skip(len + 1 - width).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(path: &str, backward: bool, flops: u64, nanoseconds: u64) -> Part {
        Part { work: "work".to_string(), path: path.to_string(), backward, flops, nanoseconds }
    }

    #[test]
    fn parts_of_a_layer_are_added_and_what_belongs_to_none_stands_last() {
        let parts = [
            part("", false, 0, 800),
            part("a", false, 4000, 2000),
            part("a", false, 0, 1000),
            part("a", true, 8000, 4000),
        ];
        // Two runs of four images.
        let layers = Layers::new(&parts, 8.0, 2.0);
        let names: Vec<&str> = layers.0.iter().map(|layer| layer.path.as_str()).collect();
        assert_eq!(names, ["a", REST]);
        assert_eq!((layers.0[0].forward, layers.0[0].backward), (375.0, 500.0));
        // 12,000 operations twice in 6,000 ns.
        assert_eq!(layers.0[0].gflops(), Some(4.0));
        let text = layers.text(16.0);
        assert!(text.contains("0.38") && text.contains("90 %") && text.contains("25 %"), "{text}");
    }

    #[test]
    fn many_layers_are_shown_by_block() {
        let path = |i: usize| format!("net/stage{}/{i}/conv2d", i % 2);
        let parts: Vec<Part> = (0..40).map(|i| part(&path(i), false, 10, 10)).collect();
        let layers = Layers::new(&parts, 1.0, 1.0);
        let lines = layers.lines();
        let names: Vec<&str> = lines.iter().map(|layer| layer.path.as_str()).collect();
        assert_eq!(names, ["net/stage0", "net/stage1"]);
        assert_eq!((lines[0].gflops(), lines[0].forward), (Some(1.0), 200.0));
        assert_eq!(layers.json().as_array().map(Vec::len), Some(40));
    }
}
