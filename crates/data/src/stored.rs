//! What was read of a dataset: its splits as pixels and labels, whether they are the published bytes, their fingerprint.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageReader, ImageResult};

use crate::Error;
use crate::error::{Problem, reason};
use crate::formats::read_bounded;

/// Largest side of an image that is decoded, in pixels.
const MAX_SIDE: u32 = 1 << 14;
/// Most memory that decoding one image may take, in bytes.
const MAX_DECODED: u64 = 1 << 31;

/// A dataset as read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The card's name.
    pub name: String,
    /// The format of the layout that was read: `cifar`, `idx`.
    pub layout: &'static str,
    /// The folder of the layout; empty where the program holds the images itself.
    pub folder: PathBuf,
    pub published: Published,
    /// BLAKE3 of what was read, in hexadecimal digits.
    pub fingerprint: String,
    /// The names of the classes, in the order of the labels.
    pub classes: Vec<String>,
    pub splits: BTreeMap<String, Split>,
}

/// Whether the bytes are those that the publisher gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Every file has the card's checksum.
    Yes,
    /// A copy that differs.
    Differs,
    /// The card has no checksums for what was read.
    NotChecked,
}

impl Published {
    /// In words: `published`, `a copy that differs`, `not checked`.
    pub fn describe(self) -> &'static str {
        match self {
            Published::Yes => "published",
            Published::Differs => "a copy that differs",
            Published::NotChecked => "not checked",
        }
    }
}

/// One split of a dataset: images and, for each, its class.
#[derive(Clone, Debug)]
pub struct Split {
    pub images: Images,
    /// The class of each image, all below the number of classes.
    pub labels: Vec<u32>,
    /// Where each image came from, for those that are files of their own.
    pub files: Option<Vec<PathBuf>>,
}

/// The images of a split.
#[derive(Clone, Debug)]
pub enum Images {
    /// All in memory, of one shape: `bytes` is `[n, height, width, channels]`.
    Memory { shape: [usize; 3], bytes: Vec<u8> },
    /// Files that are decoded when they are wanted, each with the BLAKE3 of its bytes.
    Files { paths: Vec<PathBuf>, hashes: Vec<blake3::Hash>, channels: usize },
}

/// One image: `bytes` is `[height, width, channels]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub bytes: Vec<u8>,
}

impl Split {
    /// How many samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Image `index`, decoded where it is a file.
    pub fn image(&self, index: usize) -> Result<Pixels, Error> {
        let mut image = Pixels::of_size([0, 0, 1]);
        self.image_into(index, &mut image)?;
        Ok(image)
    }

    /// The same in place of another image, whose memory is used again.
    pub(crate) fn image_into(&self, index: usize, image: &mut Pixels) -> Result<(), Error> {
        match &self.images {
            Images::Memory { shape, bytes } => {
                image.resize(*shape);
                let size = image.bytes.len();
                image.bytes.copy_from_slice(&bytes[index * size..(index + 1) * size]);
                Ok(())
            }
            Images::Files { paths, channels, hashes: _ } => image.read_over(&paths[index], *channels),
        }
    }

    /// BLAKE3 of image `index`: of its pixels in memory, or of its whole file.
    pub(crate) fn hash(&self, index: usize) -> blake3::Hash {
        match (&self.images, self.in_memory(index)) {
            (Images::Files { hashes, .. }, _) => hashes[index],
            (Images::Memory { .. }, pixels) => blake3::hash(pixels.expect("it is in memory").1),
        }
    }

    /// The pixels of image `index` where they are in memory: `[height, width, channels]` and the bytes.
    pub fn in_memory(&self, index: usize) -> Option<([usize; 3], &[u8])> {
        match &self.images {
            Images::Memory { shape, bytes } => {
                let size: usize = shape.iter().product();
                Some((*shape, &bytes[index * size..(index + 1) * size]))
            }
            Images::Files { .. } => None,
        }
    }
}

impl Pixels {
    /// A black image of `[height, width, channels]`.
    pub(crate) fn of_size(shape: [usize; 3]) -> Pixels {
        let mut pixels = Pixels { height: 0, width: 0, channels: 0, bytes: Vec::new() };
        pixels.resize(shape);
        pixels
    }

    /// Makes it an image of `[height, width, channels]`, of any pixels.
    pub(crate) fn resize(&mut self, [height, width, channels]: [usize; 3]) {
        (self.height, self.width, self.channels) = (height, width, channels);
        self.bytes.resize(height * width * channels, 0);
    }

    /// Reads and decodes an image file as RGB (`channels` 3) or grey (1). It is taken as it is stored: a rotation that a
    /// camera notes beside the pixels is not applied.
    pub fn read(path: &Path, channels: usize) -> Result<Pixels, Error> {
        let mut pixels = Pixels::of_size([0, 0, 1]);
        pixels.read_over(path, channels)?;
        Ok(pixels)
    }

    /// The same in place of another image.
    fn read_over(&mut self, path: &Path, channels: usize) -> Result<(), Error> {
        read_bounded(path)
            .and_then(|bytes| self.decode(&bytes, channels).map_err(|why| Problem::new(path, why)))
            .map_err(|problem| Error::plain(format!("could not read {}: {}", problem.path.display(), problem.why)))
    }

    /// Decodes the bytes of an image file (PNG, JPEG, BMP or WebP, whatever its name), or says why not.
    pub(crate) fn decode(&mut self, bytes: &[u8], channels: usize) -> Result<(), String> {
        let reader = ImageReader::new(std::io::Cursor::new(bytes));
        let mut reader = reader.with_guessed_format().map_err(|e| reason(&e))?;
        if reader.format().is_none() {
            return Err("this is no image that can be read: PNG, JPEG, BMP or WebP was expected".into());
        }
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(MAX_DECODED);
        reader.limits(limits);
        self.take(reader, channels).map_err(|error| match error {
            ImageError::Limits(_) => format!("the image has more than {MAX_SIDE} rows or columns"),
            other => format!("the image cannot be decoded: {}", lower(&other.to_string())),
        })
    }

    /// Decodes right into the pixels where a file has them as they are wanted.
    fn take(&mut self, reader: ImageReader<std::io::Cursor<&[u8]>>, channels: usize) -> ImageResult<()> {
        let decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        self.resize([height as usize, width as usize, channels]);
        match (channels, decoder.color_type()) {
            (1, ColorType::L8) | (3, ColorType::Rgb8) => decoder.read_image(&mut self.bytes)?,
            (1, _) => self.bytes = DynamicImage::from_decoder(decoder)?.into_luma8().into_raw(),
            _ => self.bytes = DynamicImage::from_decoder(decoder)?.into_rgb8().into_raw(),
        }
        Ok(())
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
