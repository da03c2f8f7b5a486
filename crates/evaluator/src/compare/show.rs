//! A frame as text: CSV and JSON by Polars, tables by hand, so that they fit a terminal of 80 columns.

use std::io::Cursor;

use polars::prelude::*;
use polars_io::csv::write::CsvWriter;
use polars_io::json::{JsonFormat, JsonWriter};

use super::CompareError;

/// Columns of a terminal.
const WIDTH: usize = 80;

pub(super) fn csv(frame: &mut DataFrame) -> Result<String, CompareError> {
    let mut file = Cursor::new(Vec::new());
    CsvWriter::new(&mut file).finish(frame)?;
    Ok(String::from_utf8_lossy(&file.into_inner()).into_owned())
}

pub(super) fn json(frame: &mut DataFrame) -> Result<String, CompareError> {
    let mut file = Cursor::new(Vec::new());
    JsonWriter::new(&mut file).with_json_format(JsonFormat::Json).finish(frame)?;
    Ok(String::from_utf8_lossy(&file.into_inner()).into_owned())
}

/// Header, and rows by group of equal data.
struct Cells {
    header: Vec<String>,
    groups: Vec<Vec<Vec<String>>>,
}

impl Cells {
    fn of(frame: &DataFrame, group: &str) -> Result<Cells, CompareError> {
        let groups = frame.column(group)?.u32()?.clone();
        let shown: Vec<&Column> = frame.columns().iter().filter(|column| column.name().as_str() != group).collect();
        let header = shown.iter().map(|column| column.name().to_string()).collect();
        let (mut rows, mut last): (Vec<Vec<Vec<String>>>, Option<u32>) = (Vec::new(), None);
        for row in 0..frame.height() {
            let mut cells = Vec::new();
            for column in &shown {
                cells.push(cell(&column.get(row)?));
            }
            if groups.get(row) != last || rows.is_empty() {
                rows.push(Vec::new());
                last = groups.get(row);
            }
            if let Some(group) = rows.last_mut() {
                group.push(cells);
            }
        }
        Ok(Cells { header, groups: rows })
    }
}

fn cell(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => "–".to_string(),
        AnyValue::String(text) => text.to_string(),
        AnyValue::StringOwned(text) => text.to_string(),
        AnyValue::Float64(x) if x.fract() == 0.0 => format!("{x:.0}"),
        other => other.to_string(),
    }
}

/// Runs as rows where that fits, else as columns; where that does not fit either, one run below the other.
pub(super) fn table(frame: &DataFrame, group: &str) -> Result<String, CompareError> {
    let Cells { header, groups } = Cells::of(frame, group)?;
    let several = groups.len() > 1;
    let mut text = String::new();
    for (index, rows) in groups.iter().enumerate() {
        if several {
            text +=
                &format!("{}data {}: not to be ranked with other data\n", if index > 0 { "\n" } else { "" }, index + 1);
        }
        let upright: Vec<Vec<String>> = std::iter::once(header.clone()).chain(rows.iter().cloned()).collect();
        let turned: Vec<Vec<String>> =
            (0..header.len()).map(|column| upright.iter().map(|row| row[column].clone()).collect()).collect();
        if width(&upright) <= WIDTH {
            text += &aligned(&upright);
        } else if width(&turned) <= WIDTH {
            text += &aligned(&turned);
        } else {
            let one = |row: &Vec<String>| {
                let pairs: Vec<Vec<String>> =
                    header.iter().zip(row).map(|(name, cell)| vec![name.clone(), cell.clone()]).collect();
                aligned(&pairs)
            };
            text += &rows.iter().map(one).collect::<Vec<_>>().join("\n");
        }
    }
    Ok(text)
}

pub(super) fn markdown(frame: &DataFrame, group: &str) -> Result<String, CompareError> {
    let Cells { header, groups } = Cells::of(frame, group)?;
    let line = |cells: &[String]| {
        let escaped: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", escaped.join(" | "))
    };
    let rule = line(&vec!["---".to_string(); header.len()]);
    let of_group = |rows: &Vec<Vec<String>>| {
        let rows: String = rows.iter().map(|row| line(row)).collect();
        format!("{}{rule}{rows}", line(&header))
    };
    Ok(groups.iter().map(of_group).collect::<Vec<_>>().join("\nOther data:\n\n"))
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    (0..columns).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect()
}

fn width(rows: &[Vec<String>]) -> usize {
    let widths = widths(rows);
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

fn aligned(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
