//! What must hold between `folds`, `fold`, `group` and the other words of `data`.

use spec::{Fault, Faults, Node, Word};

use crate::Card;
use crate::groups::TABLE;
use crate::parts::{Folds, PartName};

/// The folds of a resolved section `data`; of a file that makes a run for every fold, the first.
pub(crate) fn folds(data: &Node) -> Option<Folds> {
    let count = set(data, "folds").map(usize::read)?;
    let fold = set(data, "fold").map_or(1, usize::read);
    (fold <= count).then_some(Folds { count, fold })
}

/// A key that is sound and not `none`.
fn set<'a>(data: &'a Node, key: &str) -> Option<&'a Node> {
    data.find(key).filter(|node| node.is_sound() && !node.is_word("none"))
}

/// Checks them.
pub(crate) fn check(data: &Node, card: &Card, faults: &mut Faults) {
    let given = |key: &str| data.find(key).filter(|node| !node.is_word("none"));
    if let (Some(fold), None) = (given("fold"), given("folds")) {
        let fault = Fault::new(fold.place, "`fold` is one of `folds`, and there are none");
        faults.push(fault.help("say how many there are: `folds: 5`"));
    }
    if let (Some(fold), Some(folds)) = (set(data, "fold"), set(data, "folds"))
        && usize::read(fold) > usize::read(folds)
    {
        let message = format!("there is no fold {} of {}", usize::read(fold), usize::read(folds));
        let fault = Fault::new(fold.place, message).related(folds.place, "the number of folds");
        faults.push(fault.help(format!("a fold is one of 1 to {}", usize::read(folds))));
    }
    if let (Some(validation), Some(folds)) = (given("validation"), given("folds")) {
        let message = "the validation part is given twice: as `validation`, and as each fold in turn";
        let fault = Fault::new(validation.place, message).related(folds.place, "the folds");
        faults.push(fault.help("take one of the two out"));
    }
    if let Some(group) = set(data, "group") {
        check_group(data, group, card, faults);
    }
}

fn check_group(data: &Node, group: &Node, card: &Card, faults: &mut Faults) {
    if !card.layouts.iter().any(|layout| layout.format.has_files) {
        let message = format!("the images of `{}` are no files, which a table could put into groups", card.name);
        let fault = Fault::new(group.place, message);
        faults.push(fault.help(format!("take it out; folders of images have groups, in a {TABLE} beside them")));
    }
    for name in PartName::ALL {
        let take = data.find(name.name()).and_then(|part| part.find("take"));
        if let Some(take) = take.filter(|take| take.is_word("last")) {
            let message = "the last samples may end within a group, and groups are kept whole";
            let fault = Fault::new(take.place, message).related(group.place, "the groups");
            faults.push(fault.help("let the share be taken at random, or take `group` out"));
        }
    }
}
