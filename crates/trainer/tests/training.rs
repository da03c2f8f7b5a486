//! Whole trainings on a small problem: they learn, stop, resume to the bit, keep the best, and name what goes bad.

#[path = "support/run.rs"]
mod run;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{Settings, Threads, Variables};
use kernels::Isa;
use kernels::random::Stream;
use model::Network;
use record::{Epoch, RunDirectory, files};
use run::directory;
use spec::{Faults, Node, Sources};
use trainer::{Batch, Direction, Ended, Error, Facts, How, Observer, Setup, Source, Trainer, Training, Validation};

const N: usize = 90;

/// 4 x 4 images of two classes: brighter above, or brighter below.
struct Stripes {
    batch_size: usize,
    /// Stops the training after this many batches, counted over all epochs.
    stop_after: Option<(usize, &'static AtomicBool)>,
    handed_over: usize,
}

impl Source for Stripes {
    fn n_samples(&self) -> usize {
        N
    }

    fn epoch(
        &mut self,
        epoch: u64,
        first: usize,
        each: &mut dyn FnMut(Batch<'_>) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let mut order: Vec<u32> = (0..N as u32).collect();
        Stream::new(1, 99, epoch, 0).draws().shuffle(&mut order);
        for samples in order.chunks(self.batch_size).skip(first) {
            let labels: Vec<u32> = samples.iter().map(|sample| sample % 2).collect();
            let pixel = |sample: u32, at: u32| 60 + 90 * u32::from(at / 8 == sample % 2) + (sample * 31 + at * 17) % 60;
            let image: Vec<u8> = samples.iter().flat_map(|&s| (0..16).map(move |at| pixel(s, at) as u8)).collect();
            self.handed_over += 1;
            if let Some((count, flag)) = self.stop_after {
                flag.store(self.handed_over == count, Ordering::SeqCst);
            }
            if each(Batch { samples, image: &image, labels: &labels }).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Seen {
    epochs: Vec<Epoch>,
    best: Vec<Vec<String>>,
}

impl Observer for Seen {
    fn begin_epoch(&mut self, _: u64, _: usize, _: usize) {}
    fn step(&mut self, _: usize, _: f64, _: f64) {}
    fn end_epoch(&mut self, epoch: &Epoch, best: &[String]) {
        self.epochs.push(epoch.clone());
        self.best.push(best.to_vec());
    }
}

/// An experiment's three keys, and what they are made of.
struct Case {
    network: Network,
    training: Training,
}

fn case(optimizer: &str, train: &str) -> Case {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let text = format!(
        "model: {{layers: [conv2d: {{filters: 3, kernel_size: 3}}, batch_norm, activation: relu, flatten, dropout: 0.1, dense: 2]}}\n\
         loss: {{type: cross_entropy, class_weights: balanced}}\noptimizer: {optimizer}\ntrain: {train}\n"
    );
    let root = spec::parse("case.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let mut section = |key: &str, ty: spec::Type| -> Node { spec::resolve(root.find(key).unwrap(), &ty, &mut faults) };
    let model = section("model", model::MODEL);
    let loss = section("loss", spec::Type::Kind(&trainer::LOSSES));
    let optimizer = section("optimizer", spec::Type::Kind(&trainer::OPTIMIZERS));
    let train = section("train", <trainer::TrainSection as spec::Word>::TYPE);
    let inputs = model::Inputs { train: Some([4, 4, 1]), evaluate: Some([4, 4, 1]), n_classes: Some(2) };
    let network = model::check(&model, &inputs, &mut faults);
    let metrics = [("accuracy".to_string(), Direction::Larger)];
    let facts = Facts {
        n_classes: Some(2),
        ends_in_softmax: Some(false),
        validation: Validation::Chooses,
        metrics: &metrics,
        n_train: None,
        evaluates_best: None,
    };
    let training = trainer::check(&loss, &optimizer, &train, &facts, &mut faults);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    Case { network: network.unwrap(), training: training.unwrap() }
}

/// All that stays from step to step, by path.
type Arrays = Vec<(String, Vec<f32>)>;

/// Runs a training, from the start or from the run's last checkpoint. Validation gets better, then worse.
fn train(
    case: &Case,
    directory: &RunDirectory,
    resume: bool,
    stop_after: Option<usize>,
) -> (Result<Ended, Error>, Seen, Arrays) {
    static STOPS: AtomicBool = AtomicBool::new(false);
    static NEVER: AtomicBool = AtomicBool::new(false);
    let settings = Settings {
        isa: Isa::best(),
        threads: Threads::new(2),
        arithmetic: engine::Arithmetic::Accurate,
        keep_all: false,
    };
    let directions =
        [("train/loss".to_string(), Direction::Smaller), ("validation/accuracy".to_string(), Direction::Larger)];
    let setup = Setup {
        network: &case.network,
        training: &case.training,
        seed: 3,
        settings: &settings,
        n_samples: N,
        class_counts: &[45, 45],
        directory,
        directions: &directions,
        stop: if stop_after.is_some() { &STOPS } else { &NEVER },
        pause_after: None,
    };
    let mut trainer = match if resume { Trainer::resume(setup) } else { Trainer::new(setup) } {
        Ok(trainer) => trainer,
        Err(error) => return (Err(error), Seen::default(), Vec::new()),
    };
    let mut epoch = trainer.epochs_done();
    let mut measure = |_: &mut Variables| -> Result<Vec<(String, f64)>, String> {
        epoch += 1;
        let loss = (epoch as f64 - 3.0).abs() + 0.1;
        Ok(vec![("validation/loss".into(), loss), ("validation/accuracy".into(), 1.0 - loss / 10.0)])
    };
    let mut seen = Seen::default();
    let mut source = Stripes {
        batch_size: case.training.train.batch_size,
        stop_after: stop_after.map(|n| (n, &STOPS)),
        handed_over: 0,
    };
    let ended = trainer.train(&mut source, &mut seen, &mut measure);
    let arrays = trainer.variables().iter().map(|(path, _, values)| (path.to_string(), values.to_vec())).collect();
    (ended, seen, arrays)
}

#[test]
fn every_optimizer_learns() {
    for optimizer in [
        "{type: gradient_descent, learning_rate: 0.5}",
        "{type: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0001}",
        "{type: adam, learning_rate: 0.02, clip_norm: 1.0, schedule: {type: cosine, warmup_steps: 5}}",
        "{type: adamw, learning_rate: 0.02, weight_decay: 0.01}",
        "{type: extragradient, learning_rate: 0.05, base: {type: sgd, momentum: 0.5}}",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let case = case(optimizer, "{epochs: 12, batch_size: 16}");
        let (ended, seen, _) = train(&case, &directory(&folder), false, None);
        let ended = ended.unwrap();
        assert_eq!((ended.epochs, ended.how, ended.best_epoch), (12, How::Done, Some(3)));
        let losses: Vec<f64> = seen.epochs.iter().map(|epoch| epoch.metrics["train/loss"]).collect();
        assert!(losses[11] < 0.6 * losses[0], "{optimizer}: {losses:?}");
        assert!(seen.epochs[11].metrics["train/accuracy"] > 0.85, "{optimizer}");
    }
}

/// The lines of a history without times.
fn history(directory: &RunDirectory) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(directory.file(files::HISTORY)).unwrap();
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        for time in ["seconds", "images_per_second"] {
            line.as_object_mut().unwrap().remove(time).unwrap();
        }
        line
    };
    text.lines().map(line).collect()
}

#[test]
fn a_training_that_was_stopped_ends_as_one_that_was_not() {
    let adam = "{type: adam, learning_rate: 0.02, schedule: {type: linear}}";
    let epochs = "{epochs: 4, batch_size: 16}";
    for (optimizer, length, stop_after) in [
        (adam, epochs, 8),
        (adam, epochs, 12),
        (adam, epochs, 24),
        (adam, "{steps: 9, batch_size: 16}", 9),
        ("{type: sgd, learning_rate: 0.1, momentum: 0.9}", "{epochs: 4, batch_size: 16, last_batch: drop}", 11),
        ("{type: gradient_descent, learning_rate: 0.5}", epochs, 9),
        ("{type: gradient_descent, learning_rate: 0.5}", epochs, 24),
        ("{type: extragradient, learning_rate: 0.05, base: adam}", epochs, 6),
    ] {
        let case = case(optimizer, length);
        let folder = tempfile::tempdir().unwrap();
        let [whole, stopped] = [0, 1].map(|_| directory(&folder));
        let (ended, _, arrays) = train(&case, &whole, false, None);
        let (interrupted, ..) = train(&case, &stopped, false, Some(stop_after));
        assert_eq!(interrupted.unwrap().how, How::Interrupted);
        let (resumed, _, resumed_arrays) = train(&case, &stopped, true, None);
        assert_eq!(resumed.unwrap().epochs, ended.unwrap().epochs);
        assert_eq!(resumed_arrays, arrays, "{optimizer} after {stop_after}");
        assert_eq!(history(&stopped), history(&whole), "{optimizer} after {stop_after}");
        for file in [files::LAST, files::BEST] {
            let [a, b] = [&stopped, &whole].map(|directory| std::fs::read(directory.file(file)).unwrap());
            assert!(a == b, "{optimizer} after {stop_after}: {file} differs");
        }
    }
}

#[test]
fn a_training_resumes_from_its_beginning_and_from_its_end() {
    let case = case("{type: adam, learning_rate: 0.02}", "{epochs: 9, batch_size: 16, early_stopping: {patience: 2}}");
    let folder = tempfile::tempdir().unwrap();
    let [whole, killed] = [0, 1].map(|_| directory(&folder));
    let (ended, _, arrays) = train(&case, &whole, false, None);
    assert_eq!(ended.unwrap().epochs, 5);
    let (_, _, from_nothing) = train(&case, &killed, true, None);
    assert_eq!(from_nothing, arrays);
    let (again, seen, after_the_end) = train(&case, &killed, true, None);
    let again = again.unwrap();
    assert_eq!((again.epochs, again.how, seen.epochs.len()), (5, How::Early, 0));
    assert_eq!(after_the_end, arrays);
    std::fs::remove_file(killed.file(files::LAST)).unwrap();
    assert!(train(&case, &killed, true, None).0.is_err(), "a lost checkpoint is not passed over");
}

#[test]
fn early_stopping_and_plateaus_follow_their_monitors() {
    let folder = tempfile::tempdir().unwrap();
    let case = case(
        "{type: sgd, learning_rate: 0.1, schedule: {type: reduce_on_plateau, patience: 2, factor: 0.5}}",
        "{epochs: 20, batch_size: 16, early_stopping: {patience: 3}}",
    );
    let (ended, seen, _) = train(&case, &directory(&folder), false, None);
    let ended = ended.unwrap();
    // The best is epoch 3; epochs 4, 5 and 6 bring nothing better.
    assert_eq!((ended.epochs, ended.how, ended.best_epoch), (6, How::Early, Some(3)));
    let rates: Vec<f64> = seen.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    assert_eq!(rates, [0.1, 0.1, 0.1, 0.1, 0.1, 0.05]);
    let is_best = |epoch: &Vec<String>| epoch.contains(&"validation/accuracy".to_string());
    assert_eq!(seen.best.iter().map(is_best).collect::<Vec<_>>(), [true, true, true, false, false, false]);
}

#[test]
fn the_length_may_be_steps_and_the_last_batch_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let of = |train: &str| case("{type: sgd, learning_rate: 0.1}", train);
    let (ended, seen, _) = train(&of("{steps: 9, batch_size: 16}"), &directory(&folder), false, None);
    assert_eq!((ended.unwrap().epochs, seen.epochs[0].steps, seen.epochs[1].steps), (2, 6, 9));
    let (_, seen, _) = train(&of("{epochs: 1, batch_size: 16, last_batch: drop}"), &directory(&folder), false, None);
    assert_eq!(seen.epochs[0].steps, 5);
}

#[test]
fn numbers_that_go_bad_stop_the_training_and_name_the_layer() {
    let folder = tempfile::tempdir().unwrap();
    let directory = directory(&folder);
    let case = case("{type: sgd, learning_rate: 1.0e30}", "{epochs: 3, batch_size: 16, checkpoint: {every_steps: 1}}");
    let (ended, _, _) = train(&case, &directory, false, None);
    let Err(Error::NotFinite(bad)) = ended else { panic!("{ended:?}") };
    assert!(bad.step > 1 && bad.step < 8 && bad.path.is_some(), "{bad}");
    let last = trainer::load(&case.network, &directory.file(files::LAST)).unwrap();
    assert!(last.iter().all(|(_, _, values)| values.iter().all(|x| x.is_finite())), "the last good checkpoint is kept");
}

#[test]
fn arrays_that_go_bad_reach_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let directory = directory(&folder);
    // Its first step is too long for f32, its loss is not.
    let case = case("{type: sgd, learning_rate: 1.0e39}", "{epochs: 3, batch_size: 90}");
    let (ended, _, _) = train(&case, &directory, false, None);
    let Err(Error::NotFinite(bad)) = ended else { panic!("{ended:?}") };
    assert_eq!((bad.step, bad.value), (1, trainer::Value::Parameter));
    assert_eq!(bad.path.as_deref(), Some("conv2d/kernel"));
    assert!(!directory.file(files::LAST).exists());
}
