//! The two lists of steps of an experiment, and how an image goes through them.

use kernels::random::{Stream, purpose};
use spec::{Chosen, Fault, Faults, Node, Place, Word, item_names};

use super::{Only, Step, mat, row};
use crate::{Error, ImageShape, Pixels};

/// Most bytes that an image may have between two steps.
const MAX_BYTES: usize = 1 << 30;

spec::choice! {
    /// What an image is for.
    pub enum Mode {
        /// Training.
        Train = "train",
        /// Validation, test, prediction and proof.
        Evaluate = "evaluate",
    }
}

/// What becomes of an image before it is numbers.
#[derive(Debug)]
pub struct Steps {
    steps: Vec<Named>,
    /// The first step with a fault: how many sound ones stand before it, and in which list.
    bad: Option<(usize, Option<Mode>)>,
}

/// A step of a list.
#[derive(Debug)]
struct Named {
    step: Box<dyn Step>,
    kind: String,
    place: Place,
    /// What its random numbers are for.
    purpose: u64,
    /// None where it is for both.
    mode: Option<Mode>,
}

/// What random steps are keyed by.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The run's seed.
    pub seed: u64,
    /// Counted from 0.
    pub epoch: u64,
    /// The sample's number in its part's splits.
    pub sample: u32,
}

/// Buffers that images go through, to be used again.
#[derive(Debug)]
pub struct Scratch {
    here: Pixels,
    there: Pixels,
}

impl Default for Scratch {
    fn default() -> Scratch {
        let empty = Pixels::of_size([0, 0, 1]);
        Scratch { here: empty.clone(), there: empty }
    }
}

impl Scratch {
    /// The place of the image, to put one in that is to be run through steps.
    pub fn image_mut(&mut self) -> &mut Pixels {
        &mut self.here
    }

    /// The image as it is now.
    pub fn image(&self) -> &Pixels {
        &self.here
    }
}

impl Named {
    /// The shape that it gives for images of a shape, or why it cannot take them.
    fn shape(&self, image: ImageShape) -> Result<ImageShape, String> {
        let why = match self.step.shape(image) {
            Ok(after) if after.fixed().is_none_or(is_bearable) => {
                return Ok(after);
            }
            Ok(after) => format!("an image of {after} is too large"),
            Err(why) => why,
        };
        Err(format!("`{}`: {why}", self.kind))
    }
}

/// Whether an image of these sides can be held.
fn is_bearable(sides: [usize; 3]) -> bool {
    sides.into_iter().fold(1, usize::saturating_mul) <= MAX_BYTES
}

impl Steps {
    /// The steps of a resolved section `data`; faulty ones are left out.
    pub fn of(data: &Node) -> Steps {
        mat::one_thread();
        let (mut steps, mut bad) = (Vec::new(), None);
        for (list, mode) in [("preprocess", None), ("augment", Some(Mode::Train))] {
            let node = data.find(list);
            let items = node.and_then(Node::list).unwrap_or(&[]);
            if items.is_empty() && node.is_some_and(|node| !node.is_sound()) {
                bad = bad.or(Some((steps.len(), mode)));
            }
            for (item, name) in items.iter().zip(item_names(items)) {
                if !item.is_sound() {
                    bad = bad.or(Some((steps.len(), mode)));
                    continue;
                }
                let chosen: Chosen = Word::read(item);
                let mode = mode.or_else(|| Only::read(&chosen.parameters).mode);
                let step = (row(&chosen.kind).read)(&chosen.parameters);
                let purpose = purpose(&format!("{list}/{name}"));
                steps.push(Named { step, kind: chosen.kind, place: chosen.place, purpose, mode });
            }
        }
        Steps { steps, bad }
    }

    /// Whether images stay as they are.
    pub fn is_empty(&self, mode: Mode) -> bool {
        self.of_mode(mode).next().is_none()
    }

    fn of_mode(&self, mode: Mode) -> impl Iterator<Item = &Named> {
        self.steps.iter().filter(move |step| step.mode.is_none_or(|only| only == mode))
    }

    /// The shape that images of a shape come to; a step that cannot take what it gets is a fault. None behind a step with
    /// a fault.
    pub fn check(&self, mode: Mode, image: ImageShape, faults: &mut Faults) -> Option<ImageShape> {
        let bad = self.bad.filter(|(_, only)| only.is_none_or(|only| only == mode));
        let end = bad.map_or(self.steps.len(), |(end, _)| end);
        let mut shape = image;
        for step in self.steps[..end].iter().filter(|step| step.mode.is_none_or(|only| only == mode)) {
            match step.shape(shape) {
                Ok(after) => shape = after,
                Err(why) => {
                    faults.push(Fault::new(step.place, why));
                    return None;
                }
            }
        }
        bad.is_none().then_some(shape)
    }

    /// The shape that an image of a shape comes to, or why a step cannot take it.
    pub fn shape(&self, mode: Mode, image: ImageShape) -> Result<ImageShape, String> {
        self.of_mode(mode).try_fold(image, |shape, step| step.shape(shape))
    }

    /// Runs the image in `scratch` through the steps; `key` is for the random ones.
    pub fn run(&self, mode: Mode, scratch: &mut Scratch, key: Key) -> Result<(), Error> {
        for step in self.of_mode(mode) {
            let shape = step.shape(ImageShape::of(&scratch.here)).map_err(Error::plain)?;
            scratch.there.resize(shape.fixed().expect("the shape of an image that is there is known"));
            let mut draws = Stream::new(key.seed, step.purpose, key.epoch, u64::from(key.sample)).draws();
            let applied = step.step.apply(&scratch.here, &mut scratch.there, &mut draws);
            applied.map_err(|why| Error::plain(format!("`{}`: {why}", step.kind)))?;
            std::mem::swap(&mut scratch.here, &mut scratch.there);
        }
        Ok(())
    }

    /// What an image looks like to a network that is evaluated: preprocessed, not augmented.
    pub fn evaluate(&self, image: Pixels) -> Result<Pixels, Error> {
        let mut scratch = Scratch { here: image, ..Scratch::default() };
        self.run(Mode::Evaluate, &mut scratch, Key { seed: 0, epoch: 0, sample: 0 })?;
        Ok(scratch.here)
    }
}
