//! The network as a table: what each layer gives, how many parameters it has, what it costs for one image, which ONNX
//! operators it becomes and since which opset they mean what they mean here.

use model::Network;

use crate::estimate::short;
use crate::progress::thousands;

/// The table, at most 80 columns where names are short enough.
pub fn network_table(network: &Network) -> String {
    let header = ["layer", "output", "parameters", "FLOPs", "memory", "ONNX (opset)"].map(str::to_string);
    let row = |layer: &model::LayerRow| {
        let shape: Vec<String> = layer.output.iter().map(usize::to_string).collect();
        let parameters = if layer.parameters == 0 { String::new() } else { thousands(layer.parameters as f64) };
        let flops = if layer.flops == 0 { String::new() } else { short(layer.flops as f64) };
        let bytes = format!("{}B", short(4.0 * layer.output.iter().product::<usize>() as f64));
        let onnx = if layer.onnx.is_empty() { String::new() } else { format!("{} ({})", layer.onnx, layer.opset) };
        [layer.path.clone(), shape.join(" × "), parameters, flops, bytes, onnx]
    };
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(network.layers.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for [layer, output, parameters, flops, bytes, onnx] in &rows {
        let [first, second, third, fourth, fifth, _] = widths;
        let line = format!(
            "{layer:<first$}  {output:<second$}  {parameters:>third$}  {flops:>fourth$}  {bytes:>fifth$}  {onnx}"
        );
        text += line.trim_end();
        text.push('\n');
    }
    let trained: usize =
        network.parameters.iter().filter(|p| p.trained).map(|p| p.dims.iter().product::<usize>()).sum();
    text + &format!("{} trainable parameters\n", thousands(trained as f64))
}
