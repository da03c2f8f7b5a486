//! Element-wise chains, block by block.

use kernels::activation::{activate, activation_gradient};
use kernels::arithmetic::{self, Pair, binary};
use kernels::buffer::Buffer;
use kernels::team::Crew;
use kernels::{Isa, prefetch};

use super::{Whole, pointwise};
use crate::Variables;
use crate::plan::{Argument, CELLS, Chain, Fixed, Link, LinkPair, LinkWork, Update};

/// Numbers that go through all links before the next: registers of this length fit the first-level cache.
const BLOCK: usize = 512;

/// Blocks from what is computed to what is asked for.
const AHEAD: usize = 2;

/// Registers of an ordinary optimizer; all of them would fill a first-level cache.
const FEW: usize = 4;

/// Numbers that one thread goes through at a time.
const PART: usize = 8 * BLOCK;

/// A chain with its results, while it runs.
#[derive(Debug)]
pub(crate) struct ChainTask {
    chain: Chain,
    stores: Vec<Buffer>,
}

/// A chain with the variables that it overwrites.
#[derive(Debug)]
pub(crate) struct UpdateTask {
    update: Update,
    stores: Vec<Buffer>,
}

impl UpdateTask {
    pub fn new(update: &Update) -> UpdateTask {
        let stores = update.variables.iter().map(|_| Buffer::default()).collect();
        UpdateTask { update: update.clone(), stores }
    }

    /// Takes the variables out, or puts them back.
    pub fn swap(&mut self, variables: &mut Variables, places: &[usize]) {
        for (store, variable) in self.stores.iter_mut().zip(&self.update.variables) {
            std::mem::swap(store, variables.at_mut(places[*variable]));
        }
    }

    pub fn run(&mut self, isa: Isa, whole: &Whole<'_>, crew: &Crew<'_>) {
        run(isa, &self.update.chain, whole, crew, &mut self.stores);
    }
}

/// A part of a chain's results: cells that are not used are empty.
type Stores<'a> = [&'a mut [f32]; CELLS];

impl ChainTask {
    pub fn new(chain: &Chain) -> ChainTask {
        ChainTask { chain: chain.clone(), stores: chain.stores.iter().map(|_| Buffer::default()).collect() }
    }

    /// Takes the results' memory out of the values, so that other chains can run at the same time, or puts it back.
    pub fn swap(&mut self, values: &mut [Buffer]) {
        for (store, value) in self.stores.iter_mut().zip(&self.chain.stores) {
            std::mem::swap(store, &mut values[*value]);
        }
    }

    pub fn run(&mut self, isa: Isa, whole: &Whole<'_>, crew: &Crew<'_>) {
        run(isa, &self.chain, whole, crew, &mut self.stores);
    }
}

fn run(isa: Isa, chain: &Chain, whole: &Whole<'_>, crew: &Crew<'_>, buffers: &mut [Buffer]) {
    let mut stores = Stores::default();
    for (cell, store) in stores.iter_mut().zip(buffers) {
        *cell = &mut store[..];
    }
    let needs_few = chain.registers() <= FEW;
    crew.each_part(stores.map(|store| (store, PART)), |part, stores| {
        let start = part * PART;
        let len = PART.min(chain.len - start);
        match needs_few {
            true => run_blocks::<FEW>(isa, chain, whole, start, len, stores),
            false => run_blocks::<CELLS>(isa, chain, whole, start, len, stores),
        }
    });
}

/// Numbers `start..start + len` of a chain of at most `R` registers; `stores` are cut to them.
fn run_blocks<const R: usize>(
    isa: Isa,
    chain: &Chain,
    whole: &Whole<'_>,
    start: usize,
    len: usize,
    mut stores: Stores<'_>,
) {
    let mut registers = [[0.0f32; BLOCK]; R];
    let mut result = [0.0f32; BLOCK];
    for block in (0..len).step_by(BLOCK) {
        let n = BLOCK.min(len - block);
        // Streams of a block are too short for the processor to see where they go on.
        for store in stores.iter().filter(|store| !store.is_empty()) {
            prefetch(next(store, block, n));
        }
        let mut cells: [&mut [f32]; 2 * CELLS] = std::array::from_fn(|_| &mut [][..]);
        for (cell, store) in cells.iter_mut().zip(&mut stores).filter(|(_, store)| !store.is_empty()) {
            *cell = &mut store[block..block + n];
        }
        for (cell, register) in cells[CELLS..].iter_mut().zip(&mut registers) {
            *cell = &mut register[..n];
        }
        for link in &chain.links {
            if run_in_place(isa, link, whole, start + block, &mut cells) {
                continue;
            }
            if link.overwrites_argument() {
                run_link(isa, link, whole, start + block, &cells, &mut result[..n]);
                cells[link.to].copy_from_slice(&result[..n]);
                continue;
            }
            // What is written is taken out, so that the other cells can be read meanwhile.
            let written = std::mem::take(&mut cells[link.to]);
            run_link(isa, link, whole, start + block, &cells, written);
            cells[link.to] = written;
        }
    }
}

/// Runs a link whose first argument alone is its result's cell, and that can; whether it has.
fn run_in_place(isa: Isa, link: &Link, whole: &Whole<'_>, at: usize, cells: &mut [&mut [f32]]) -> bool {
    let is_result = |argument: Argument| matches!(argument, Argument::Cell(cell) if cell == link.to);
    let LinkWork::Pair(pair) = link.work else { return false };
    if !is_result(link.a) || is_result(link.b) {
        return false;
    }
    let y = std::mem::take(&mut cells[link.to]);
    let b = match link.b {
        Argument::Cell(cell) => &*cells[cell],
        Argument::Slice(fixed) => read(whole, fixed, at, y.len()),
        Argument::Number(_) => unreachable!("a pair is of two slices"),
    };
    arithmetic::pair_into(isa, with_numbers(pair, whole), y, b);
    cells[link.to] = y;
    true
}

/// A pair with the numbers that it names.
fn with_numbers(pair: LinkPair, whole: &Whole<'_>) -> Pair {
    let factor = |by: Option<Fixed>| by.map_or(1.0, |by| whole.number(by));
    match pair {
        LinkPair::WeightedSum(by) => Pair::WeightedSum(by),
        LinkPair::WeightedSquare(by) => Pair::WeightedSquare(by),
        LinkPair::SubtractScaled(by) => Pair::SubtractScaled(whole.number(by)),
        LinkPair::ScaledRatio { by, root_by, offset } => {
            Pair::ScaledRatio { by: factor(by), root_by: factor(root_by), offset }
        }
    }
}

/// The block that is asked for while the block of `n` numbers at `at` is computed.
fn next(numbers: &[f32], at: usize, n: usize) -> &[f32] {
    let start = numbers.len().min(at + AHEAD * n);
    &numbers[start..numbers.len().min(start + n)]
}

/// A block of a value, of which the next is fetched meanwhile.
fn read<'a>(whole: &'a Whole<'_>, fixed: Fixed, at: usize, n: usize) -> &'a [f32] {
    let numbers = whole.get(fixed);
    prefetch(next(numbers, at, n));
    &numbers[at..at + n]
}

fn run_link(isa: Isa, link: &Link, whole: &Whole<'_>, at: usize, cells: &[&mut [f32]], y: &mut [f32]) {
    let n = y.len();
    let argument = |argument: Argument| match argument {
        Argument::Cell(cell) => arithmetic::Operand::Slice(&*cells[cell]),
        Argument::Slice(fixed) => arithmetic::Operand::Slice(read(whole, fixed, at, n)),
        Argument::Number(fixed) => arithmetic::Operand::Scalar(whole.number(fixed)),
    };
    let (a, b) = (argument(link.a), argument(link.b));
    let slice = |operand| match operand {
        arithmetic::Operand::Slice(slice) => slice,
        arithmetic::Operand::Scalar(_) => unreachable!("only two-sided arithmetic takes a number"),
    };
    match link.work {
        LinkWork::Binary(op) => binary(isa, pointwise::binary_op(op), a, b, y),
        LinkWork::Pair(pair) => arithmetic::pair(isa, with_numbers(pair, whole), slice(a), slice(b), y),
        LinkWork::Scale(by) => {
            arithmetic::binary(isa, arithmetic::Binary::Multiply, a, arithmetic::Operand::Scalar(by), y)
        }
        LinkWork::Offset(by) => arithmetic::binary(isa, arithmetic::Binary::Add, a, arithmetic::Operand::Scalar(by), y),
        LinkWork::SquareRoot => arithmetic::square_root(isa, slice(a), y),
        LinkWork::Activate(activation) => activate(isa, pointwise::activation_of(activation), slice(a), y),
        LinkWork::ActivateGradient(activation) => {
            activation_gradient(isa, pointwise::activation_of(activation), slice(a), slice(b), y)
        }
    }
}
