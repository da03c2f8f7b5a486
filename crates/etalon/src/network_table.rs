//! The network as a table: what each layer gives, how many parameters it has, which ONNX operator it becomes.

use model::Network;

use crate::progress::thousands;

/// The table, at most 80 columns where names are short enough.
pub fn network_table(network: &Network) -> String {
    let header = ["layer", "output", "parameters", "ONNX operator"].map(str::to_string);
    let row = |layer: &model::LayerRow| {
        let shape: Vec<String> = layer.output.iter().map(usize::to_string).collect();
        let parameters = if layer.parameters == 0 { String::new() } else { thousands(layer.parameters as f64) };
        [layer.path.clone(), shape.join(" × "), parameters, layer.onnx.clone()]
    };
    let rows: Vec<[String; 4]> = std::iter::once(header).chain(network.layers.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 4] = std::array::from_fn(width);
    let mut text = String::new();
    for [layer, output, parameters, onnx] in &rows {
        let [first, second, third, _] = widths;
        let line = format!("{layer:<first$}  {output:<second$}  {parameters:>third$}  {onnx}");
        text += line.trim_end();
        text.push('\n');
    }
    let trained: usize =
        network.parameters.iter().filter(|p| p.trained).map(|p| p.dims.iter().product::<usize>()).sum();
    text + &format!("{} trainable parameters\n", thousands(trained as f64))
}
