//! What stands where an image has no pixels, or loses them.

use opencv::core::{self, BORDER_CONSTANT, BORDER_REFLECT_101, BORDER_REPLICATE, MatTraitConst, Scalar};
use spec::{Node, Range, Type, Word};

const VALUE: Type = Type::Integer(Range { low: 0.0, high: 255.0, ..Range::ANY });

spec::choice! {
    /// A colour that has a name.
    enum Named {
        /// The mean of the image, channel by channel.
        Mean = "mean",
    }
}

spec::choice! {
    /// A filling that has a name.
    enum Around {
        /// The mean of the image, channel by channel.
        Mean = "mean",
        /// The outermost pixels, repeated.
        Edge = "edge",
        /// The image mirrored at its outermost pixels, which are not repeated.
        Reflect = "reflect",
    }
}

/// One colour: a value from 0 to 255, one a channel, or `mean`.
#[derive(Clone, Debug, PartialEq)]
pub enum Colour {
    /// One value for all channels, or one a channel.
    Values(Vec<u8>),
    /// The mean of the image, channel by channel.
    Mean,
}

/// What surrounds an image: a colour, `edge` or `reflect`.
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// One colour.
    Colour(Colour),
    /// The outermost pixels, repeated.
    Edge,
    /// The image mirrored at its outermost pixels, which are not repeated.
    Reflect,
}

impl Word for Colour {
    const TYPE: Type = Type::Either(&[VALUE, Type::List { of: &VALUE, lone: false }, Named::TYPE]);

    fn read(node: &Node) -> Colour {
        match node.list() {
            Some(items) => Colour::Values(items.iter().map(|item| u64::read(item) as u8).collect()),
            None if node.is_word(Named::Mean.name()) => Colour::Mean,
            None => Colour::Values(vec![u64::read(node) as u8]),
        }
    }
}

impl Word for Fill {
    const TYPE: Type = Type::Either(&[VALUE, Type::List { of: &VALUE, lone: false }, Around::TYPE]);

    fn read(node: &Node) -> Fill {
        match node.text() {
            Some("edge") => Fill::Edge,
            Some("reflect") => Fill::Reflect,
            _ => Fill::Colour(Colour::read(node)),
        }
    }
}

impl Colour {
    /// Whether it fits images of so many channels; otherwise why not.
    pub fn fits(&self, channels: usize) -> Result<(), String> {
        match self {
            Colour::Values(values) if values.len() != 1 && values.len() != channels => {
                let channels = if channels == 1 { "1 channel".into() } else { format!("{channels} channels") };
                Err(format!("`fill` has {} values, the image has {channels}", values.len()))
            }
            Colour::Values(_) | Colour::Mean => Ok(()),
        }
    }

    /// The value of each channel of an image.
    pub fn of(&self, image: &(impl MatTraitConst + core::ToInputArray)) -> opencv::Result<Scalar> {
        match self {
            Colour::Mean => core::mean_def(image),
            Colour::Values(values) => {
                let at = |channel: usize| f64::from(*values.get(channel).unwrap_or(&values[0]));
                Ok(Scalar::new(at(0), at(1), at(2), at(3)))
            }
        }
    }
}

impl Fill {
    /// Whether it fits images of so many channels; otherwise why not.
    pub fn fits(&self, channels: usize) -> Result<(), String> {
        match self {
            Fill::Colour(colour) => colour.fits(channels),
            Fill::Edge | Fill::Reflect => Ok(()),
        }
    }

    /// OpenCV's kind of border for an image, and its colour.
    pub fn border(&self, image: &(impl MatTraitConst + core::ToInputArray)) -> opencv::Result<(i32, Scalar)> {
        Ok(match self {
            Fill::Colour(colour) => (BORDER_CONSTANT, colour.of(image)?),
            Fill::Edge => (BORDER_REPLICATE, Scalar::default()),
            Fill::Reflect => (BORDER_REFLECT_101, Scalar::default()),
        })
    }
}
