//! A frame as text: CSV and JSON by Polars, tables by hand, so that they fit a terminal of 80 columns.

use std::io::Cursor;

use polars::prelude::*;
use polars_io::csv::write::CsvWriter;
use polars_io::json::{JsonFormat, JsonWriter};

use super::CompareError;

/// Columns of a terminal.
const WIDTH: usize = 80;

/// Longest cell of a block.
const LONGEST: usize = 60;

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

/// Group by group: a single run as a list; of several first what they share, then the rest in blocks of columns that fit
/// the terminal, in which a number stands for the run.
pub(super) fn table(frame: &DataFrame, group: &str) -> Result<String, CompareError> {
    let Cells { header, groups } = Cells::of(frame, group)?;
    let of_group = |(index, rows): (usize, &Vec<Vec<String>>)| {
        let title = match groups.len() {
            1 => String::new(),
            _ => format!("data {}: not to be ranked with other data\n\n", index + 1),
        };
        title + &if rows.len() == 1 { listed(&header, &rows[0]) } else { blocks(&header, rows) }
    };
    Ok(groups.iter().enumerate().map(of_group).collect::<Vec<_>>().join("\n"))
}

fn listed(header: &[String], row: &[String]) -> String {
    let pairs: Vec<Vec<String>> = header.iter().zip(row).map(|(name, cell)| vec![name.clone(), cell.clone()]).collect();
    aligned(&pairs)
}

fn blocks(header: &[String], rows: &[Vec<String>]) -> String {
    // What was measured stands in the table even where all runs reached the same.
    let is_measured = |name: &str| name.contains('/') || name == "seconds";
    let is_shared =
        |column: &usize| !is_measured(&header[*column]) && rows.iter().all(|row| row[*column] == rows[0][*column]);
    let (shared, varying): (Vec<usize>, Vec<usize>) = (0..header.len()).partition(is_shared);
    let shared: Vec<Vec<String>> =
        shared.into_iter().map(|column| vec![header[column].clone(), rows[0][column].clone()]).collect();
    let numbers: Vec<String> =
        std::iter::once("#".to_string()).chain((1..=rows.len()).map(|number| number.to_string())).collect();
    let mut texts = if shared.is_empty() { Vec::new() } else { vec![format!("all of them\n{}", aligned(&shared))] };
    let mut block: Vec<Vec<String>> = numbers.iter().map(|number| vec![number.clone()]).collect();
    for column in varying {
        let cells = std::iter::once(&header[column]).chain(rows.iter().map(|row| &row[column]));
        let wider: Vec<Vec<String>> =
            block.iter().zip(cells).map(|(row, cell)| row.iter().cloned().chain([shortened(cell)]).collect()).collect();
        if width(&wider) <= WIDTH || block[0].len() == 1 {
            block = wider;
        } else {
            texts.push(aligned(&block));
            let last = wider.iter().map(|row| row[row.len() - 1].clone());
            block = numbers.iter().cloned().zip(last).map(|(number, cell)| vec![number, cell]).collect();
        }
    }
    texts.push(aligned(&block));
    texts.join("\n")
}

/// The end of what is longer than a cell may be: of a path it says more than the beginning.
fn shortened(cell: &str) -> String {
    let length = cell.chars().count();
    if length <= LONGEST {
        return cell.to_string();
    }
    format!("…{}", cell.chars().skip(length + 1 - LONGEST).collect::<String>())
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

pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
