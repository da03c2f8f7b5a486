//! Where a schedule jumps: lists of epochs or steps, or every so many of them.

use spec::{Fault, Faults, Node, Value};

use super::Position;

/// Where the factor changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Jumps {
    /// After these epochs.
    Epochs(Vec<u64>),
    /// After these steps.
    Steps(Vec<u64>),
    /// Every so many epochs.
    EveryEpochs(u64),
    /// Every so many steps.
    EverySteps(u64),
}

impl Jumps {
    /// How many jumps lie behind a position.
    pub fn behind(&self, at: &Position) -> usize {
        match self {
            Jumps::Epochs(milestones) => milestones.iter().filter(|&&m| m <= at.epoch()).count(),
            Jumps::Steps(milestones) => milestones.iter().filter(|&&m| m <= at.step).count(),
            Jumps::EveryEpochs(every) => (at.epoch() / every) as usize,
            Jumps::EverySteps(every) => (at.step / every) as usize,
        }
    }
}

/// The keys of `keys` that are set.
fn set_keys<'a>(node: &Node, keys: &[&'a str]) -> Vec<&'a str> {
    let is_set = |key: &&str| node.find(key).is_some_and(|value| !value.is_word("none"));
    keys.iter().copied().filter(is_set).collect()
}

/// Pushes a fault unless exactly one of `keys` is set, and where a list of milestones does not rise.
pub fn check(node: &Node, keys: &[&str], faults: &mut Faults) {
    let set = set_keys(node, keys);
    match set.as_slice() {
        [] => faults.push(Fault::new(
            node.place,
            format!("where it changes is missing: give {}", spec::one_of(keys.iter().copied())),
        )),
        [only] => check_rising(only, node.find(only).expect("it is set"), faults),
        [first, second, ..] => {
            let fault =
                Fault::new(node.place_of(second), format!("`{first}` and `{second}` both say where it changes"));
            faults.push(fault.related(node.place_of(first), "the first").help("take one of them out"));
        }
    }
}

fn check_rising(key: &str, value: &Node, faults: &mut Faults) {
    let Value::List(items) = &value.value else { return };
    let numbers: Vec<u64> = items.iter().map(spec::Word::read).collect();
    if let Some(place) = numbers.windows(2).position(|pair| pair[0] >= pair[1]) {
        let message = format!("`{key}` must rise, found {} after {}", numbers[place + 1], numbers[place]);
        faults.push(Fault::new(items[place + 1].place, message));
    }
}
