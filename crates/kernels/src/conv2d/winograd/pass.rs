//! A pass over images, chunk by chunk: what is transformed, multiplied and transformed back.

use std::ops::Range;

use super::few::{self, AT_ONCE, MultiplyFew};
use super::places::{AddOuter, Field, Multiply, OuterProducts, Products};
use super::tiles::{Chunk, Position, Side, Transformed};
use super::transform::{Four, Two};
use super::{Conv2d, Epilogue, Size};
use crate::prefetch::{Ahead, prefetch_from};
use crate::{Isa, View};

/// What is computed of what. Whoever makes it has asserted the lengths.
#[derive(Clone, Copy)]
pub(super) enum Pass<'a> {
    Forward {
        x: *const f32,
        packed: *const f32,
        epilogue: Epilogue<'a>,
        y: *mut f32,
    },
    InputGradient {
        dy: *const f32,
        packed: *const f32,
        dx: *mut f32,
    },
    Gradients {
        of_x: &'a Conv2d,
        x: *const f32,
        dy: *const f32,
        packed: *const f32,
        dx: *mut f32,
        begin: bool,
        gradient: *mut f32,
        ahead: &'a [&'a [f32]],
    },
    KernelGradient {
        x: *const f32,
        dy: *const f32,
        begin: bool,
        packed: *mut f32,
    },
}

/// Numbers that lie together.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub start: *const f32,
    pub len: usize,
}

impl Span {
    /// The first `len` numbers; what is left begins behind them.
    #[inline(always)]
    pub fn take(&mut self, len: usize) -> Span {
        let taken = Span { start: self.start, len: len.min(self.len) };
        (self.start, self.len) = (self.start.wrapping_add(taken.len), self.len - taken.len);
        taken
    }

    /// Takes and fetches the first `len` numbers, which need not be there.
    #[inline(always)]
    pub fn fetch(&mut self, len: usize) {
        let taken = self.take(len);
        prefetch_from(taken.start, taken.len);
    }
}

/// Room for a chunk's transformed numbers, with what is computed there.
pub(super) struct Workplace<'a> {
    size: Size,
    isa: Isa,
    conv: &'a Conv2d,
    inputs: Field,
    outputs: Field,
}

impl<'a> Workplace<'a> {
    /// In `scratch`, of the length that [`Size::scratch_len`] says.
    pub fn new(size: Size, isa: Isa, conv: &'a Conv2d, scratch: &'a mut [f32]) -> Workplace<'a> {
        assert!(size.suits(conv) && scratch.len() >= size.scratch_len(conv));
        let field = |start: *mut f32, channels: usize| {
            let (pitch, place) = (Field::pitch(channels), Field::place(channels, size.chunk(conv)));
            Field { start, channels, pitch, place }
        };
        let inputs = field(scratch.as_mut_ptr(), conv.input.channels);
        let outputs = field(scratch[size.places() * inputs.place..].as_mut_ptr(), conv.output.channels);
        Workplace { size, isa, conv, inputs, outputs }
    }

    /// Over `n` images.
    pub fn run(&self, n: usize, pass: Pass<'_>) {
        let [rows, columns] = self.tiles_of_image();
        let total = n * rows * columns;
        let alike = self.size.alike(self.conv, total);
        let ahead = &mut self.ahead(total, &pass);
        for first in (0..total).step_by(alike.max(1)) {
            self.run_chunk(first..(first + alike).min(total), &pass, ahead);
        }
    }

    fn run_chunk(&self, tiles: Range<usize>, pass: &Pass<'_>, ahead: &mut Ahead<'_>) {
        let Workplace { conv, inputs, outputs, .. } = *self;
        let first = Position::of(conv, self.size.outputs(), tiles.start);
        let chunk = |field: Field, side| Chunk { conv, first, tiles: tiles.len(), field, side };
        match *pass {
            Pass::Forward { x, packed: weights, epilogue, y } => {
                // Results lie where no cache holds them; their lines are fetched while there are products to compute.
                let next = self.span(&conv.output, tiles.clone(), y);
                let chunks = [chunk(inputs, Side::Inputs(x)), chunk(outputs, Side::Outputs { epilogue, y })];
                self.through(chunks, false, weights, next, ahead);
            }
            Pass::InputGradient { dy, packed: weights, dx } => {
                let next = Span { start: dx, len: 0 };
                let chunks = [chunk(outputs, Side::Gradients(dy)), chunk(inputs, Side::AddToInputs(dx))];
                self.through(chunks, false, weights, next, ahead);
            }
            Pass::Gradients { of_x, x, dy, packed: weights, dx, begin, gradient, .. } => {
                // x may lie where no cache holds it.
                let next = self.span(&of_x.input, tiles.clone(), x);
                let chunks = [chunk(outputs, Side::Gradients(dy)), chunk(inputs, Side::AddToInputs(dx))];
                self.through(chunks, true, weights, next, ahead);
                self.transform(Chunk { conv: of_x, ..chunk(inputs, Side::Inputs(x)) });
                self.add_outer(&tiles, begin, gradient, ahead);
            }
            Pass::KernelGradient { x, dy, begin, packed: gradient } => {
                self.transform(chunk(inputs, Side::Inputs(x)));
                self.transform(chunk(outputs, Side::Gradients(dy)));
                self.add_outer(&tiles, begin, gradient, ahead);
            }
        }
    }

    /// Where the tiles behind it begin.
    fn transform(&self, chunk: Chunk<'_>) -> Position {
        match self.size {
            Size::Two => self.isa.run(Transformed::<Two, 2, 4> { chunk, transform: Two }),
            Size::Four => self.isa.run(Transformed::<Four, 4, 6> { chunk, transform: Four }),
        }
    }

    /// From pixels to pixels: transforms tiles, multiplies them and transforms them back. With `keeps` the first transform of
    /// all of them is still there afterwards.
    fn through(
        &self,
        [mut from, mut to]: [Chunk<'_>; 2],
        keeps: bool,
        weights: *const f32,
        mut next: Span,
        ahead: &mut Ahead<'_>,
    ) {
        let (places, tiles) = (self.size.places(), from.tiles);
        if !few::suits(self.isa, from.field, to.field) {
            self.transform(from);
            let products = Products { places, tiles, from: from.field, weights, to: to.field };
            self.isa.run(Multiply { products, next, ahead });
            self.transform(to);
            return;
        }
        // All in the same place, products over their operands.
        let small = |field: Field| {
            let place = Field::place(field.channels, AT_ONCE);
            Field { start: self.inputs.start, place, ..field }
        };
        to.field = small(to.field);
        if !keeps {
            from.field = small(from.field);
        }
        let share = next.len.div_ceil(tiles.div_ceil(AT_ONCE));
        for done in (0..tiles).step_by(AT_ONCE) {
            let tiles = AT_ONCE.min(tiles - done);
            from.first = self.transform(Chunk { tiles, ..from });
            let fields = [from.field, to.field];
            self.isa.run(MultiplyFew { places, fields, weights, next: next.take(share), ahead });
            to.first = self.transform(Chunk { tiles, ..to });
            if keeps {
                from.field.start = from.field.at(0, AT_ONCE);
            }
        }
    }

    /// Adds the products of a chunk's two fields to the gradient of the kernel.
    fn add_outer(&self, tiles: &Range<usize>, begin: bool, gradient: *mut f32, ahead: &mut Ahead<'_>) {
        let (places, begin) = (self.size.places(), begin && tiles.start == 0);
        let products = OuterProducts { places, tiles: tiles.len(), x: self.inputs, dy: self.outputs, begin, gradient };
        self.isa.run(AddOuter { products, ahead });
    }

    /// Rows and columns of an image's tiles.
    fn tiles_of_image(&self) -> [usize; 2] {
        [self.conv.output.height, self.conv.output.width].map(|size| size.div_ceil(self.size.outputs()))
    }

    /// The numbers between the first and the last that these tiles write.
    fn span(&self, to: &View, tiles: Range<usize>, y: *const f32) -> Span {
        let [rows, columns] = self.tiles_of_image();
        let outputs = self.size.outputs();
        let row = |tile: usize| (tile / columns / rows, tile / columns % rows * outputs);
        let ((first, top), (last, bottom)) = (row(tiles.start), row(tiles.end - 1));
        let start = to.at(first, top, 0);
        let end = to.at(last, (bottom + outputs).min(to.height) - 1, to.width);
        // Tiles that lie in the padding below have no numbers of their own.
        Span { start: y.wrapping_add(start), len: end.saturating_sub(start) }
    }

    /// What a pass over so many tiles asks for, spread over its multiply-adds.
    fn ahead<'b>(&self, tiles: usize, pass: &Pass<'b>) -> Ahead<'b> {
        let lanes = self.isa.lanes();
        let products =
            |from: &View, to: &View| self.size.places() * tiles * from.channels * to.channels.div_ceil(lanes);
        let (input, output) = (&self.conv.input, &self.conv.output);
        let forward = products(input, output);
        match pass {
            Pass::Forward { epilogue, .. } => Ahead::new(epilogue.ahead, forward),
            Pass::Gradients { ahead, .. } => Ahead::new(ahead, products(output, input) + forward),
            Pass::InputGradient { .. } | Pass::KernelGradient { .. } => Ahead::nothing(),
        }
    }
}
