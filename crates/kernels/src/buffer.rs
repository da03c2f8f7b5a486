//! Memory for arithmetic: f32, zeroed, aligned to a cache line, of a length that never changes; buffers that live as long as
//! each other are cut from large pages.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use memmap2::MmapMut;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Numbers in a cache line.
pub const LINE: usize = 16;

/// Aligned numbers.
#[derive(Default)]
pub struct Buffer {
    memory: Memory,
    len: usize,
}

/// Lines that belong to one buffer alone.
enum Memory {
    Own(Vec<Line>),
    Piece(Piece),
}

/// A piece of a chunk.
struct Piece {
    start: *mut f32,
    /// Keeps it alive.
    _chunk: Arc<MmapMut>,
}

// SAFETY: a piece is the only one over its memory, which belongs to no thread.
unsafe impl Send for Piece {}
// SAFETY: what is shared is only read.
unsafe impl Sync for Piece {}

impl Default for Memory {
    fn default() -> Memory {
        Memory::Own(Vec::new())
    }
}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Buffer {
        Buffer { memory: Memory::Own(vec![Line([0.0; LINE]); len.div_ceil(LINE)]), len }
    }

    /// A copy of numbers.
    pub fn from_slice(numbers: &[f32]) -> Buffer {
        let mut buffer = Buffer::zeros(numbers.len());
        buffer.copy_from_slice(numbers);
        buffer
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        Buffer::from_slice(self)
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let start = match &self.memory {
            Memory::Own(lines) => lines.as_ptr().cast(),
            Memory::Piece(piece) => piece.start.cast_const(),
        };
        // SAFETY: `Line` is `repr(C)` around an array of f32, without padding; `lines` holds at least `len` of them, and so does
        // a piece.
        unsafe { std::slice::from_raw_parts(start, self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        let start = match &mut self.memory {
            Memory::Own(lines) => lines.as_mut_ptr().cast(),
            Memory::Piece(piece) => piece.start,
        };
        // SAFETY: as in `deref`; the exclusive borrow of `self` makes this the only view.
        unsafe { std::slice::from_raw_parts_mut(start, self.len) }
    }
}

/// Where buffers are cut from, one behind the other, in pages of 2 MiB where the system has them: a pass over many values
/// then finds its pages in the processor's table of addresses. What is not touched takes no memory. A buffer keeps the
/// chunk that it lies in.
#[derive(Default)]
pub struct Arena {
    chunk: Option<(Arc<MmapMut>, *mut f32)>,
    /// Numbers of the chunk that are free, from `used` on.
    used: usize,
    len: usize,
}

/// Numbers of a chunk, 64 MiB.
const CHUNK: usize = 1 << 24;

impl Arena {
    /// `len` zeros.
    pub fn zeros(&mut self, len: usize) -> Buffer {
        let room = len.next_multiple_of(LINE);
        if self.len - self.used < room {
            let Ok(mut chunk) = MmapMut::map_anon(CHUNK.max(room) * size_of::<f32>()) else {
                return Buffer::zeros(len);
            };
            // Advice, which a system may have no use for.
            #[cfg(target_os = "linux")]
            let _ = chunk.advise(memmap2::Advice::HugePage);
            let start = chunk.as_mut_ptr().cast();
            *self = Arena { chunk: Some((Arc::new(chunk), start)), used: 0, len: CHUNK.max(room) };
        }
        let Some((chunk, start)) = &self.chunk else { return Buffer::zeros(len) };
        // Pages begin at multiples of a line, and every piece is whole lines; none is handed out twice.
        let piece = Piece { start: start.wrapping_add(self.used), _chunk: Arc::clone(chunk) };
        self.used += room;
        Buffer { memory: Memory::Piece(piece), len }
    }
}

/// The memory of numbers as bytes.
pub fn bytes_of(numbers: &[f32]) -> &[u8] {
    // SAFETY: every byte of an f32 can be read as one, and four of them lie in it.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// The memory of numbers as bytes to write.
pub fn bytes_of_mut(numbers: &mut [f32]) -> &mut [u8] {
    // SAFETY: as in `bytes_of`, and any four bytes are an f32; the exclusive borrow makes this the only view.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({})", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, Buffer, CHUNK};

    #[test]
    fn a_buffer_is_aligned_and_as_long_as_asked() {
        let mut arena = Arena::default();
        for len in [0, 1, 15, 16, 17, 1000] {
            for mut buffer in [Buffer::zeros(len), arena.zeros(len)] {
                assert_eq!((buffer.len(), buffer.as_ptr() as usize % 64, buffer.iter().sum()), (len, 0, 0.0));
                buffer.fill(1.0);
                assert_eq!(buffer.clone().iter().sum::<f32>(), len as f32);
            }
        }
    }

    #[test]
    fn pieces_of_an_arena_are_apart_and_outlive_it() {
        let mut arena = Arena::default();
        let lens = [100, 0, CHUNK - 50, 33, 2 * CHUNK, 5];
        let mut buffers = lens.map(|len| arena.zeros(len));
        drop(arena);
        for (number, buffer) in buffers.iter_mut().enumerate() {
            buffer.iter_mut().step_by(1000).for_each(|x| *x = number as f32);
            buffer.iter_mut().last().into_iter().for_each(|x| *x = number as f32);
        }
        for (number, (buffer, len)) in buffers.iter().zip(lens).enumerate() {
            let whole = buffer.iter().step_by(1000).chain(buffer.last()).all(|x| *x == number as f32);
            assert!(whole && buffer.len() == len);
        }
    }
}
