//! TensorBoard's file format: records of the TFRecord format, each an `Event` of protocol buffers.
//!
//! A record is its length (u64, little endian), the length's checksum, the bytes, their checksum; a checksum is the
//! CRC-32C, rotated and shifted as the format says (`tensorflow/core/lib/hash/crc32c.h`, `Mask`). Only the fields that are
//! written here are declared; the numbers are those of `event.proto` and `summary.proto`.

use prost::Message;

/// One thing that happened.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    pub what: Option<What>,
}

/// What happened.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum What {
    /// The first event of a file names the format's version.
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

/// Numbers of one step.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Scalar>,
}

/// A number by its name.
#[derive(Clone, PartialEq, Message)]
pub struct Scalar {
    #[prost(string, tag = "1")]
    pub tag: String,
    /// Written also where it is 0: it is one of several kinds of values, and a reader asks which.
    #[prost(float, optional, tag = "2")]
    pub simple_value: Option<f32>,
}

impl Event {
    /// The event as a record of the file.
    pub fn record(&self) -> Vec<u8> {
        let bytes = self.encode_to_vec();
        let length = (bytes.len() as u64).to_le_bytes();
        [&length[..], &checksum(&length), &bytes, &checksum(&bytes)].concat()
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mask = |crc: u32| crc.rotate_right(15).wrapping_add(0xa282_ead8);
    mask(crc32c::crc32c(bytes)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_what_tensorboard_writes() {
        // `RecordWriter(file).write(Event(wall_time=1.0, file_version="brain.Event:2").SerializeToString())` with
        // tensorboard 2.21.0 (`tensorboard.summary.writer.record_writer`, `tensorboard.compat.proto.event_pb2`).
        let theirs = "1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a";
        let event = Event { wall_time: 1.0, step: 0, what: Some(What::FileVersion("brain.Event:2".into())) };
        assert_eq!(event.record().iter().map(|byte| format!("{byte:02x}")).collect::<String>(), theirs);
    }
}
