//! A network as a picture: a flowchart for Mermaid, or boxes and arrows as SVG.

use std::fmt::Write;

use model::Network;

use crate::progress::thousands;

/// The two lines of each box: the image, then every layer.
fn boxes(network: &Network) -> Vec<[String; 2]> {
    let shape = |dims: &[usize]| dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    let image = ["image".to_string(), shape(&network.input)];
    let layer = |layer: &model::LayerRow| {
        let parameters = match layer.parameters {
            0 => String::new(),
            n => format!(", {} parameters", thousands(n as f64)),
        };
        [layer.path.clone(), format!("{}{parameters}", shape(&layer.output))]
    };
    std::iter::once(image).chain(network.layers.iter().map(layer)).collect()
}

/// From which box to which.
fn arrows(network: &Network) -> impl Iterator<Item = (usize, usize)> {
    network.layers.iter().enumerate().flat_map(|(to, layer)| layer.reads.iter().map(move |&from| (from, to + 1)))
}

/// A flowchart in the language of Mermaid.
pub fn mermaid(network: &Network) -> String {
    let mut text = "flowchart TD\n".to_string();
    for (number, [name, about]) in boxes(network).into_iter().enumerate() {
        let _ = writeln!(text, "    n{number}[\"{name}<br/>{about}\"]");
    }
    for (from, to) in arrows(network) {
        let _ = writeln!(text, "    n{from} --> n{to}");
    }
    text
}

/// Sizes in pixels.
const WIDTH: usize = 300;
const HEIGHT: usize = 44;
const GAP: usize = 22;
const MARGIN: usize = 16;
/// How far an arrow past other boxes goes to the side, for each box that it passes at most six of.
const SIDE: usize = 14;

/// A picture of boxes one below the other; arrows past other boxes go round them on the right.
pub fn svg(network: &Network) -> String {
    let boxes = boxes(network);
    let (width, height) = (WIDTH + 2 * MARGIN + 8 * SIDE, boxes.len() * (HEIGHT + GAP) - GAP + 2 * MARGIN);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" text-anchor=\"middle\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"#445\"/></marker></defs>\n"
    );
    let top = |number: usize| MARGIN + number * (HEIGHT + GAP);
    let middle = MARGIN + WIDTH / 2;
    for (number, [name, about]) in boxes.iter().enumerate() {
        let y = top(number);
        let _ = writeln!(
            text,
            "<rect x=\"{MARGIN}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"5\" fill=\"#eef3fb\" \
             stroke=\"#7a8db0\"/><text x=\"{middle}\" y=\"{}\" font-size=\"14\" fill=\"#112\">{}</text>\
             <text x=\"{middle}\" y=\"{}\" font-size=\"11\" fill=\"#556\">{}</text>",
            y + 19,
            escaped(name),
            y + 35,
            escaped(about)
        );
    }
    for (from, to) in arrows(network) {
        let path = if to == from + 1 {
            format!("M{middle} {} V{}", top(from) + HEIGHT, top(to))
        } else {
            let right = MARGIN + WIDTH;
            let side = right + SIDE * (to - from).min(6) + SIDE;
            let (start, end) = (top(from) + HEIGHT * 3 / 4, top(to) + HEIGHT / 4);
            format!("M{right} {start} C{side} {start} {side} {end} {right} {end}")
        };
        let _ = writeln!(text, "<path d=\"{path}\" fill=\"none\" stroke=\"#445\" marker-end=\"url(#tip)\"/>");
    }
    text + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
