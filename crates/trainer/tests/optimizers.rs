//! Every optimizer's step, written as graph and run in f64: against PyTorch, against recurrences written by hand, and
//! where theory says how it must end.

mod support;

use graph::reference::Tensor;
use graph::{DType, Graph, NodeId, Op, Shape};
use serde_json::Value as Json;
use support::Simulation;
use trainer::update::{Evaluation, names};

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The input of this name; in the second evaluation of a look-ahead it is there already.
fn handed_in(g: &mut Graph, name: &str, length: usize) -> NodeId {
    let is_it = |id: &NodeId| matches!(&g.node(*id).op, Op::Input { name: found } if found == name);
    g.ids().find(is_it).unwrap_or_else(|| g.input(name, Shape::fixed(&[length]), DType::F32))
}

/// An evaluation of which only the gradients matter.
fn field(g: &mut Graph, gradients: Vec<NodeId>) -> Evaluation {
    Evaluation { loss: g.constant(0.0, &[]), gradients, running: Vec::new(), outputs: Vec::new() }
}

/// `tests/references/optimizers.py` makes the numbers.
#[test]
fn steps_are_those_of_pytorch() {
    let reference: Json = serde_json::from_str(include_str!("references/optimizers.json")).unwrap();
    let problem = &reference["problem"];
    let of = |key: &str, path: &str| numbers(&problem[key][path]);
    let start: Vec<(&str, Vec<f64>)> = ["kernel", "bias"].map(|path| (path, of("start", path))).to_vec();
    for case in reference["cases"].as_array().unwrap() {
        let text = case["optimizer"].as_str().unwrap();
        let borrowed: Vec<(&str, &[f64])> = start.iter().map(|(path, v)| (*path, v.as_slice())).collect();
        let mut simulation = Simulation::new(text, &borrowed, &mut |g, point| {
            let gradient = |(path, &p): (&str, &NodeId)| {
                let length = g.shape(p).sample_len();
                let [a, b] = ["a", "b"].map(|name| handed_in(g, &format!("{name}_{path}"), length));
                let pull = g.multiply(a, p);
                g.subtract(pull, b)
            };
            let gradients = ["kernel", "bias"].into_iter().zip(point).map(gradient).collect();
            field(g, gradients)
        });
        for (step, expected) in case["steps"].as_array().unwrap().iter().enumerate() {
            let vector = |data: Vec<f64>| Tensor::new(&[data.len()], data);
            let b = |path: &str| numbers(&problem["b"][step][path]);
            simulation.on_batch(
                1,
                &[
                    ("a_kernel", vector(of("a", "kernel"))),
                    ("a_bias", vector(of("a", "bias"))),
                    ("b_kernel", vector(b("kernel"))),
                    ("b_bias", vector(b("bias"))),
                ],
            );
            for path in ["kernel", "bias"] {
                let (found, expected) = (simulation.value(path), numbers(&expected[path]));
                let far = found.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 1e-12);
                assert!(!far, "{text} after step {step}: {path} is {found:?}, PyTorch has {expected:?}");
            }
        }
    }
}

/// One parameter `p` with the gradient `p`, as a hand would compute it.
fn check_recurrence(text: &str, mut by_hand: impl FnMut(f64, i32) -> f64) {
    let mut simulation = Simulation::new(text, &[("kernel", &[1.0])], &mut |g, point| field(g, point.to_vec()));
    let mut p = 1.0;
    for step in 1..=20 {
        p = by_hand(p, step);
        simulation.on_batch(1, &[]);
        let found = simulation.value("kernel")[0];
        assert!((found - p).abs() < 1e-14, "{text} after step {step}: {found}, by hand {p}");
    }
}

#[test]
fn steps_are_those_computed_by_hand() {
    check_recurrence("{type: sgd, learning_rate: 0.1, weight_decay: 0.5}", |p, _| p - 0.1 * (p + 0.5 * p));
    let mut v = 0.0;
    check_recurrence("{type: sgd, learning_rate: 0.1, momentum: 0.9}", |p, _| {
        v = 0.9 * v + p;
        p - 0.1 * v
    });
    let mut v = 0.0;
    check_recurrence("{type: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}", |p, _| {
        v = 0.9 * v + p;
        p - 0.1 * (p + 0.9 * v)
    });
    let adam = |m: &mut f64, v: &mut f64, g: f64, t: i32| {
        *m = 0.9 * *m + 0.1 * g;
        *v = 0.999 * *v + 0.001 * g * g;
        (*m / (1.0 - 0.9_f64.powi(t))) / ((*v / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8)
    };
    let (mut m, mut v) = (0.0, 0.0);
    check_recurrence("{type: adam, learning_rate: 0.1}", |p, t| p - 0.1 * adam(&mut m, &mut v, p, t));
    let (mut m, mut v) = (0.0, 0.0);
    check_recurrence("{type: adamw, learning_rate: 0.1, weight_decay: 0.3}", |p, t| {
        p - 0.1 * adam(&mut m, &mut v, p, t) - 0.1 * 0.3 * p
    });
    check_recurrence("{type: extragradient, learning_rate: 0.1}", |p, _| p - 0.1 * (p - 0.1 * p));
    check_recurrence("{type: sgd, learning_rate: 0.1, clip_norm: 0.5}", |p: f64, _| p - 0.1 * p.min(0.5));
}

#[test]
fn clipping_looks_at_all_parameters_together_and_reports_the_norm_before() {
    let text = "{type: sgd, learning_rate: 1, clip_norm: 2.5}";
    let start: [(&str, &[f64]); 2] = [("kernel", &[3.0, 0.0]), ("bias", &[4.0])];
    let mut simulation = Simulation::new(text, &start, &mut |g, point| field(g, point.to_vec()));
    let norms = [0, 1].map(|_| simulation.on_batch(1, &[])[names::GRADIENT_NORM].data[0]);
    assert_eq!(norms, [5.0, 2.5]);
    assert_eq!((simulation.value("kernel"), simulation.value("bias")), (&[0.0, 0.0][..], &[0.0][..]));
}

/// min over x, max over y of x · y: the field is (y, -x), its only rest the origin. Gradient steps spiral away from it by
/// √(1 + rate²) a step; extragradient comes nearer by √((1 - rate²)² + rate²).
#[test]
fn extragradient_solves_the_bilinear_game_that_sgd_runs_away_from() {
    let play = |text: &str| {
        let mut simulation = Simulation::new(text, &[("x", &[1.0]), ("y", &[1.0])], &mut |g, point| {
            let gradients = vec![point[1], g.scale(point[0], -1.0)];
            field(g, gradients)
        });
        for _ in 0..200 {
            simulation.on_batch(1, &[]);
        }
        simulation.value("x")[0].hypot(simulation.value("y")[0])
    };
    let (rate, start) = (0.3_f64, 2.0_f64.sqrt());
    let away = play("{type: sgd, learning_rate: 0.3}");
    let near = play("{type: extragradient, learning_rate: 0.3}");
    let factor = ((1.0 - rate * rate).powi(2) + rate * rate).sqrt();
    assert!((away / (start * (1.0 + rate * rate).sqrt().powi(200)) - 1.0).abs() < 1e-9, "{away}");
    assert!((near / (start * factor.powi(200)) - 1.0).abs() < 1e-9, "{near}");
    assert!(play("{type: adam, learning_rate: 0.1}") > 0.5);
}

#[test]
fn running_values_follow_the_second_evaluation_of_a_look_ahead() {
    let text = "{type: extragradient, learning_rate: 0.5}";
    let mut simulation = Simulation::new(text, &[("kernel", &[2.0])], &mut |g, point| Evaluation {
        loss: g.sum_of_squares(point[0]),
        gradients: point.to_vec(),
        running: vec![("seen".to_string(), point[0])],
        outputs: Vec::new(),
    });
    simulation.variables.insert("seen".into(), Tensor::zeros(&[1]));
    simulation.on_batch(1, &[]);
    assert_eq!(simulation.value("seen"), [1.0]);
    assert_eq!(simulation.value("kernel"), [1.5]);
}

/// Scores `x · kernel` of two classes, cross-entropy of them: batches of 2, 2 and 1 against one of 5.
#[test]
fn gradient_descent_gathers_what_one_large_batch_gives() {
    let x: Vec<f64> = (0..15).map(|i| (f64::from(i) * 1.7).sin()).collect();
    let labels = [0.0, 1.0, 1.0, 0.0, 1.0];
    let start = [0.3, -0.2, 0.1, 0.5, 0.0, -0.4];
    let simulate = |text: &str| {
        Simulation::new(text, &[("kernel", &start)], &mut |g, point| {
            let x = g.input("x", Shape::batched(&[3]), DType::F32);
            let labels = g.input("label", Shape::batched(&[]), DType::Index);
            let kernel = g.reshape(point[0], &[2, 3]);
            let scores = g.push(Op::Dense, &[x, kernel]);
            let op = Op::CrossEntropy { label_smoothing: 0.0, from_logits: true };
            let losses = g.push(op, &[scores, labels]);
            let loss = g.mean_over_batch(losses);
            let gradients = graph::gradients(g, loss, point).into_iter().flatten().collect();
            Evaluation { loss, gradients, running: Vec::new(), outputs: Vec::new() }
        })
    };
    let rows = |from: usize, to: usize| {
        let data = Tensor::new(&[to - from, 3], x[3 * from..3 * to].to_vec());
        [("x", data), ("label", Tensor::new(&[to - from], labels[from..to].to_vec()))]
    };
    let settings = "learning_rate: 0.7, weight_decay: 0.1, clip_norm: 0.2";
    let mut whole = simulate(&format!("{{type: sgd, {settings}}}"));
    let mut gathered = simulate(&format!("{{type: gradient_descent, {settings}}}"));
    for _ in 0..5 {
        whole.on_batch(5, &rows(0, 5));
        for (from, to) in [(0, 2), (2, 4), (4, 5)] {
            let share = (names::SHARE, Tensor::new(&[], vec![(to - from) as f64 / 5.0]));
            let before = gathered.value("kernel").to_vec();
            gathered.on_batch(to - from, &[rows(from, to).to_vec(), vec![share]].concat());
            assert_eq!(gathered.value("kernel"), before);
        }
        gathered.on_epoch();
        assert_eq!(gathered.value("kernel/gradient_descent/gradient"), [0.0; 6]);
        let far = whole.value("kernel").iter().zip(gathered.value("kernel")).any(|(a, b)| (a - b).abs() > 1e-14);
        assert!(!far, "{:?} against {:?}", whole.value("kernel"), gathered.value("kernel"));
    }
}
