//! Trains the CIFAR network with burn or candle, on orders like those of benches/peers/serve.py.
//!
//!     rust_peers burn|candle THREADS
//!
//! One JSON line is one order on standard input (`prepare`, `window`, `forget`) and one answer on standard
//! output. Images are random ones in which the class can be seen: one part noise, three parts 4 x 4 patches of the class.

mod burn_peer;
mod candle_peer;
mod images;

use std::io::{BufRead, Write};
use std::time::Instant;

use serde_json::{Value, json};

use images::Images;

/// A network in training.
pub trait Training {
    /// Takes a step with these images. Gives the mean loss before it.
    fn step(&mut self, number: usize) -> f32;
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut training: Option<(usize, Box<dyn Training>)> = None;
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line.expect("standard input is text")).expect("an order is JSON");
        let answer = match order["do"].as_str() {
            Some("prepare") if order["network"] == "cifar_cnn" => {
                let batch = order["batch"].as_u64().expect("a batch size") as usize;
                let (mut made, version) = make(&name, Images::new(batch));
                let steps = order["warmup_steps"].as_u64().expect("a number of steps") as usize;
                let loss = (0..steps).map(|number| made.step(number)).sum::<f32>() / steps as f32;
                training = Some((batch, made));
                json!({"warmup_loss": loss, "version": version})
            }
            Some("window") => match &mut training {
                Some((batch, made)) => json!({"images_per_second": window(made.as_mut(), *batch, &order["seconds"])}),
                None => json!({"error": "nothing is prepared"}),
            },
            Some("forget") => {
                training = None;
                json!({})
            }
            _ => json!({"error": "not known to the Rust peers"}),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("somebody reads the answers");
    }
}

fn make(name: &str, images: Images) -> (Box<dyn Training>, &'static str) {
    match name {
        "burn" => (Box::new(burn_peer::Network::new(images)), "burn 0.20.1 (ndarray, simd)"),
        _ => (Box::new(candle_peer::Network::new(images).expect("candle builds the network")), "candle 0.11.1"),
    }
}

/// Images a second over so many seconds.
fn window(training: &mut dyn Training, batch: usize, seconds: &Value) -> f64 {
    let seconds = seconds.as_f64().expect("a number of seconds");
    let (start, mut steps) = (Instant::now(), 0);
    while steps == 0 || start.elapsed().as_secs_f64() < seconds {
        training.step(steps);
        steps += 1;
    }
    (steps * batch) as f64 / start.elapsed().as_secs_f64()
}
