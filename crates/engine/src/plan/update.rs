//! What an optimizer does to variables last: chains that run after everything else, on the variables themselves.
//!
//! A chain whose results all become variables would write as many numbers beside the old ones and then change places with
//! them, which is twice the memory to pass. Nothing reads the old numbers after such a chain, so it overwrites them; and
//! since it runs only once the guarded outputs are known to be finite, a bad step still changes nothing.

use super::step::{Fixed, Operand};
use super::whole::{Argument, Chain, Pass};
use super::{Assignment, Output, Stage, Values};

/// A chain that overwrites variables.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub chain: Chain,
    /// The variable of each of its stores.
    pub variables: Vec<usize>,
}

/// Takes out of the last stage the chains that may overwrite their variables, and their assignments.
pub(crate) fn updates(
    stages: &mut [Stage],
    assignments: &mut Vec<Assignment>,
    outputs: &[Output],
    values: &mut Values,
) -> Vec<Update> {
    let Some(Stage { passes, steps, .. }) = stages.last_mut() else { return Vec::new() };
    let Some(Pass::Chains(chains)) = passes.last_mut().filter(|_| steps.is_empty()) else { return Vec::new() };
    let candidates: Vec<Option<Vec<usize>>> =
        chains.iter().map(|chain| variables_of(chain, assignments, outputs)).collect();
    let mut updates = Vec::new();
    for (index, variables) in candidates.iter().enumerate().rev() {
        let Some(variables) = variables else { continue };
        let is_read_elsewhere = |variable: &usize| {
            chains.iter().enumerate().any(|(other, chain)| other != index && reads(chain, *variable))
                || updates.iter().any(|update: &Update| reads(&update.chain, *variable))
        };
        if variables.iter().any(is_read_elsewhere) {
            continue;
        }
        let Some(chain) = in_place(&chains[index], variables) else { continue };
        chains.remove(index);
        assignments.retain(|assignment| !chain.stores.contains(&assignment.value));
        chain.stores.iter().for_each(|value| values.lens[*value] = 0);
        updates.push(Update { chain, variables: variables.clone() });
    }
    if chains.is_empty() {
        passes.pop();
    }
    updates.reverse();
    updates
}

/// The variables that a chain's stores become, where each becomes one and is nothing else.
fn variables_of(chain: &Chain, assignments: &[Assignment], outputs: &[Output]) -> Option<Vec<usize>> {
    let variable = |value: &usize| {
        let is_output =
            outputs.iter().any(|output| matches!(output.from, Operand::Fixed(Fixed::Value(v)) if v == *value));
        let assignment = assignments.iter().find(|one| one.value == *value && one.swap)?;
        (!is_output).then_some(assignment.variable)
    };
    chain.stores.iter().map(variable).collect()
}

fn reads(chain: &Chain, variable: usize) -> bool {
    let variable = Fixed::Variable(variable);
    let is_it = |argument: &Argument| matches!(argument, Argument::Slice(f) | Argument::Number(f) if *f == variable);
    chain.links.iter().any(|link| is_it(&link.a) || is_it(&link.b))
}

/// The chain with its old variables in the cells of the new ones; none where an old number is read after it is overwritten.
fn in_place(chain: &Chain, variables: &[usize]) -> Option<Chain> {
    let mut chain = chain.clone();
    let mut is_written = vec![false; variables.len()];
    for link in &mut chain.links {
        for argument in [&mut link.a, &mut link.b] {
            let Argument::Slice(Fixed::Variable(variable)) = argument else { continue };
            if let Some(cell) = variables.iter().position(|other| other == variable) {
                if is_written[cell] {
                    return None;
                }
                *argument = Argument::Cell(cell);
            }
        }
        if let Some(written) = is_written.get_mut(link.to) {
            *written = true;
        }
    }
    Some(chain)
}
