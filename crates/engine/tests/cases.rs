//! Every case of every operator: the engine against the definition, on every instruction set and for many batches.

mod support;

use engine::Program;
use graph::cases::Case;
use graph::ops::{Cases, RULES};
use graph::{Op, reference};
use kernels::Isa;

use support::{Inputs, difference, settings, variables};

/// One sample, part of a shard, a whole one, one more, several groups.
const BATCHES: [usize; 5] = [1, 3, 8, 9, 33];

#[test]
fn every_operator_is_what_its_row_defines() {
    let mut wrong = Vec::new();
    for isa in Isa::available() {
        let settings = settings(isa, 2);
        for rule in RULES {
            let Cases::Make(make) = rule.cases else { continue };
            for case in make() {
                for batch in BATCHES {
                    let case = Case { batch, ..case.clone() };
                    let program = case.program();
                    let expected = reference::run(&program.graph, &program.feed);
                    let mut engine = Program::new(&program.graph, &settings);
                    let inputs = Inputs::new(&program.graph, &program.feed);
                    inputs.run(&mut engine, &mut variables(&program.feed)).expect("nothing is guarded");
                    let difference = difference(engine.output("result"), &expected[program.result]);
                    if difference > tolerance(&case) {
                        wrong.push(format!("{} on {}: {difference:e} off: {case:?}", rule.name, isa.name()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong, among them\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

/// Sums over the batch gather more roundings as it grows.
fn tolerance(case: &Case) -> f64 {
    match case.op {
        Op::Conv2dKernelGradient { .. } | Op::DenseKernelGradient => 2.0 * case.tolerance,
        _ => case.tolerance,
    }
}
