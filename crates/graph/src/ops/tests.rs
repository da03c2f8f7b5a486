//! What is asked of every row of the table.

use std::collections::BTreeSet;

use super::{Cases, Gradient, Onnx, OpRule, RULES};
use crate::cases::Case;
use crate::finite_differences;
use crate::reference::run;
use crate::{DType, verify};

/// Operands of differentiable operators that no gradient flows to, and why.
const NO_GRADIENT: &[(&str, usize, &str)] = &[
    ("batch_norm", 1, "the way through the statistics is part of the gradient for x"),
    ("cross_entropy", 2, "class weights are data"),
    ("squared_error", 2, "class weights are data"),
];

fn cases(rule: &OpRule) -> Vec<Case> {
    match rule.cases {
        Cases::Make(make) => make(),
        Cases::None(_) => Vec::new(),
    }
}

#[test]
fn rows_are_sorted_unique_and_well_named() {
    let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    for name in names {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(good), "{name}");
    }
}

#[test]
fn what_a_row_lacks_has_a_reason() {
    for rule in RULES {
        if let Gradient::None(why) = rule.gradient {
            assert!(why.len() > 10, "{} says why it has no gradient", rule.name);
        }
        if let Onnx::None(why) = rule.onnx {
            assert!(why.len() > 10, "{} says why it is not exported", rule.name);
        }
        match rule.cases {
            Cases::Make(make) => assert!(make().len() >= 3 || rule.name == "normalize", "{} has some cases", rule.name),
            Cases::None(why) => assert!(why.len() > 10, "{} says why it has no cases", rule.name),
        }
    }
}

#[test]
fn every_case_belongs_to_its_row_and_a_batch_of_one_is_among_them() {
    for rule in RULES {
        for case in cases(rule) {
            assert_eq!(case.op.rule().name, rule.name);
        }
        let batches: BTreeSet<usize> = cases(rule).iter().map(|case| case.batch).collect();
        assert!(batches.is_empty() || batches.contains(&1), "{} is tried on one sample", rule.name);
    }
}

#[test]
fn the_inferred_shape_is_the_computed_one() {
    for rule in RULES {
        for case in cases(rule) {
            let program = case.program();
            verify(&program.graph).expect("a case is a proper graph");
            let value = &run(&program.graph, &program.feed)[program.result]; // compares the shapes
            assert!(value.data.iter().all(|x| x.is_finite()), "{case:?} gives {value:?}");
        }
    }
}

#[test]
fn every_gradient_rule_agrees_with_finite_differences() {
    for rule in RULES.iter().filter(|rule| matches!(rule.gradient, Gradient::Rule(_))) {
        for case in cases(rule) {
            let program = case.program();
            let differentiable = |&(index, id): &(usize, crate::NodeId)| {
                let without = NO_GRADIENT.iter().any(|&(name, operand, _)| (name, operand) == (rule.name, index));
                program.graph.node(id).dtype == DType::F32 && !without
            };
            let operands = program.operands.iter().copied().enumerate().filter(differentiable);
            let operands: Vec<crate::NodeId> = operands.map(|(_, id)| id).collect();
            finite_differences::check(&program.graph, &program.feed, program.result, &operands);
        }
    }
}

#[test]
fn wrong_operands_are_refused_not_computed() {
    for rule in RULES {
        for case in cases(rule) {
            let shapes: Vec<_> = case.operands.iter().map(|operand| (&operand.shape, operand.dtype())).collect();
            assert!(case.op.infer(&shapes).is_ok(), "{case:?}");
            assert!(case.op.infer(&[]).is_err(), "{} without operands", rule.name);
            let one_more = [&shapes[..], &[shapes[0], shapes[0]]].concat();
            assert!(case.op.infer(&one_more).is_err(), "{} with two operands too many", rule.name);
            let mut other_types = shapes.clone();
            other_types[0].1 = DType::Index;
            assert!(case.op.infer(&other_types).is_err(), "{} of class indices", rule.name);
        }
    }
}

#[test]
fn work_is_counted_and_exports_are_named() {
    for rule in RULES {
        for case in cases(rule) {
            let program = case.program();
            let operands: Vec<_> = case.operands.iter().map(|operand| &operand.shape).collect();
            let flops = case.op.flops(&operands, program.graph.shape(program.result));
            assert!(flops < 10_000_000, "{case:?} is small, {flops} operations");
            if let Some((name, since)) = case.op.onnx() {
                assert!(name.starts_with(|c: char| c.is_ascii_uppercase()) && since <= 17, "{name} since {since}");
            }
        }
    }
}
