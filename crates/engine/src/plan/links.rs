//! Links that one other reads alone, computed with it, so that a chain passes over its numbers less often. Every operation
//! is rounded as it is on its own.

use graph::ops::Binary;

use super::step::Fixed;
use super::whole::{Argument, CELLS, Link, LinkPair, LinkWork};

/// Takes links into those that read them.
pub(super) fn fuse(links: &mut Vec<Link>) {
    let mut at = 0;
    while at < links.len() {
        if let Some((link, mut gone)) = fused(links, at) {
            links[at] = link;
            gone.sort_unstable();
            for index in gone.iter().rev() {
                links.remove(*index);
            }
            at -= gone.len();
        }
        at += 1;
    }
}

/// The link `at` with those that it reads alone; none if there are none, or it reads one of them on both sides.
fn fused(links: &[Link], at: usize) -> Option<Fused> {
    if links[at].a == links[at].b {
        return None;
    }
    subtract_scaled(links, at).or_else(|| weighted_square(links, at)).or_else(|| scaled_ratio(links, at))
}

/// A link that takes others in, and these.
type Fused = (Link, Vec<usize>);

/// `a - x * number`
fn subtract_scaled(links: &[Link], at: usize) -> Option<Fused> {
    let link = links[at];
    let LinkWork::Binary(Binary::Subtract) = link.work else { return None };
    let (x, by, product) = scaled(links, at, link.b)?;
    Some((Link { work: LinkWork::Pair(LinkPair::SubtractScaled(by)), b: x, ..link }, vec![product]))
}

/// `by[0] * a + by[1] * x²`
fn weighted_square(links: &[Link], at: usize) -> Option<Fused> {
    let link = links[at];
    let LinkWork::Pair(LinkPair::WeightedSum(by)) = link.work else { return None };
    let square = read_alone(links, at, link.b)?;
    let Link { work: LinkWork::Binary(Binary::Multiply), a, b, .. } = links[square] else { return None };
    let is_square = a == b && stays(links, a, square, at);
    is_square.then(|| (Link { work: LinkWork::Pair(LinkPair::WeightedSquare(by)), b: a, ..link }, vec![square]))
}

/// `a * number / (√x * number + offset)`, where either number may be missing.
fn scaled_ratio(links: &[Link], at: usize) -> Option<Fused> {
    let link = links[at];
    let LinkWork::Binary(Binary::Divide) = link.work else { return None };
    let divisor = read_alone(links, at, link.b)?;
    let LinkWork::Offset(offset) = links[divisor].work else { return None };
    let mut gone = vec![divisor];
    let (root, root_by) = match scaled(links, divisor, links[divisor].a) {
        Some((x, by, product)) => {
            gone.push(product);
            (read_alone(links, product, x)?, Some(by))
        }
        None => (read_alone(links, divisor, links[divisor].a)?, None),
    };
    let Link { work: LinkWork::SquareRoot, a: x, .. } = links[root] else { return None };
    gone.push(root);
    let (a, by) = match scaled(links, at, link.a) {
        Some((a, by, product)) => {
            gone.push(product);
            (a, Some(by))
        }
        None => (link.a, None),
    };
    let work = LinkWork::Pair(LinkPair::ScaledRatio { by, root_by, offset });
    stays(links, x, root, at).then_some((Link { work, a, b: x, ..link }, gone))
}

/// What an argument of the link `at` is a product of with a number, which nothing else reads: that, the number, the link.
fn scaled(links: &[Link], at: usize, argument: Argument) -> Option<(Argument, Fixed, usize)> {
    let product = read_alone(links, at, argument)?;
    let Link { work: LinkWork::Binary(Binary::Multiply), a, b, .. } = links[product] else { return None };
    let (x, by) = match (a, b) {
        (x, Argument::Number(by)) | (Argument::Number(by), x) => (x, by),
        _ => return None,
    };
    stays(links, x, product, at).then_some((x, by, product))
}

/// The link that an argument of the link `at` is the result of, if that is stored nowhere and nothing else reads it.
fn read_alone(links: &[Link], at: usize, argument: Argument) -> Option<usize> {
    let Argument::Cell(cell) = argument else { return None };
    let writes = |link: &Link| link.to == cell;
    let from = links[..at].iter().rposition(writes).filter(|_| cell >= CELLS)?;
    let behind = &links[from + 1..];
    // A link reads before it writes.
    let life = behind.iter().position(writes).map_or(behind.len(), |last| last + 1);
    let readers = behind[..life].iter().filter(|link| link.a == argument || link.b == argument).count();
    (readers == 1).then_some(from)
}

/// Whether what the link `from` reads is still there for the link `at`.
fn stays(links: &[Link], argument: Argument, from: usize, at: usize) -> bool {
    !links[from..at].iter().any(|link| argument == Argument::Cell(link.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: Argument = Argument::Number(Fixed::Value(9));
    const GRADIENT: Argument = Argument::Slice(Fixed::Value(1));

    fn link(work: LinkWork, a: Argument, b: Argument, to: usize) -> Link {
        Link { work, a, b, to }
    }

    fn register(index: usize) -> Argument {
        Argument::Cell(CELLS + index)
    }

    /// Adam with its corrections.
    fn adam() -> Vec<Link> {
        let weighted = |by: [f32; 2]| LinkWork::Pair(LinkPair::WeightedSum(by));
        let (multiply, [m, v, w]) = (LinkWork::Binary(Binary::Multiply), [0, 1, 2].map(Argument::Cell));
        vec![
            link(multiply, GRADIENT, GRADIENT, CELLS),
            link(weighted([0.9, 0.1]), m, GRADIENT, 0),
            link(weighted([0.99, 0.01]), v, register(0), 1),
            link(multiply, m, NUMBER, CELLS),
            link(LinkWork::SquareRoot, v, v, CELLS + 1),
            link(multiply, register(1), NUMBER, CELLS + 2),
            link(LinkWork::Offset(1e-8), register(2), register(2), CELLS + 1),
            link(LinkWork::Binary(Binary::Divide), register(0), register(1), CELLS + 2),
            link(multiply, register(2), NUMBER, CELLS),
            link(LinkWork::Binary(Binary::Subtract), w, register(0), 2),
        ]
    }

    #[test]
    fn adam_is_four_links() {
        let mut links = adam();
        fuse(&mut links);
        let number = Fixed::Value(9);
        let [
            LinkWork::Pair(LinkPair::WeightedSum([0.9, 0.1])),
            LinkWork::Pair(LinkPair::WeightedSquare([0.99, 0.01])),
            LinkWork::Pair(LinkPair::ScaledRatio { by, root_by, offset: 1e-8 }),
            LinkWork::Pair(LinkPair::SubtractScaled(rate)),
        ] = links.iter().map(|link| link.work).collect::<Vec<_>>()[..]
        else {
            panic!("{links:?}")
        };
        assert_eq!([by, root_by, Some(rate)], [Some(number); 3]);
        assert_eq!([links[1].b, links[2].a, links[2].b], [GRADIENT, Argument::Cell(0), Argument::Cell(1)]);
        assert_eq!([links[3].a, links[3].b], [Argument::Cell(2), Argument::Cell(links[2].to)]);
    }

    #[test]
    fn what_is_read_on_both_sides_stays_apart() {
        let product = link(LinkWork::Binary(Binary::Multiply), GRADIENT, NUMBER, CELLS);
        let mut links = vec![product, link(LinkWork::Binary(Binary::Subtract), register(0), register(0), 0)];
        fuse(&mut links);
        assert_eq!(links.len(), 2, "{links:?}");
    }

    #[test]
    fn what_others_read_or_what_changes_meanwhile_stays_apart() {
        let mut read_twice = adam();
        read_twice.push(link(LinkWork::SquareRoot, register(0), register(0), CELLS + 3));
        fuse(&mut read_twice);
        assert!(read_twice.iter().any(|link| matches!(link.work, LinkWork::Binary(Binary::Subtract))));

        // The root is of the mean square as it was before it was changed once more.
        let mut changed = adam();
        changed.insert(5, link(LinkWork::Scale(2.0), Argument::Cell(1), Argument::Cell(1), 1));
        fuse(&mut changed);
        assert!(changed.iter().any(|link| matches!(link.work, LinkWork::SquareRoot)));
    }
}
