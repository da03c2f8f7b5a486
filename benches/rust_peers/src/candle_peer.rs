//! The network in candle, on its CPU backend.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{AdamW, Conv2d, Linear, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap, conv2d, linear, loss};

use crate::Training;
use crate::images::Images;

/// The network in training with Adam, which is AdamW without decay.
pub struct Network {
    convolutions: Vec<Conv2d>,
    hidden: Linear,
    last: Linear,
    optimizer: AdamW,
    images: Images,
}

impl Network {
    /// From its first weights.
    pub fn new(images: Images) -> Result<Network> {
        let variables = VarMap::new();
        let at = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let convolution = |name: &str, from, to| conv2d(from, to, 3, Default::default(), at.pp(name));
        let convolutions = vec![convolution("c0", 3, 32)?, convolution("c1", 32, 64)?, convolution("c2", 64, 64)?];
        let (hidden, last) = (linear(1024, 64, at.pp("d0"))?, linear(64, 10, at.pp("d1"))?);
        let settings = ParamsAdamW { lr: 0.001, weight_decay: 0.0, ..Default::default() };
        let optimizer = AdamW::new(variables.all_vars(), settings)?;
        Ok(Network { convolutions, hidden, last, optimizer, images })
    }

    fn loss(&self, number: usize) -> Result<Tensor> {
        let (pixels, labels) = self.images.batch(number);
        let mut x = Tensor::from_slice(pixels, (self.images.batch, 3, 32, 32), &Device::Cpu)?;
        for (number, convolution) in self.convolutions.iter().enumerate() {
            x = convolution.forward(&x)?.relu()?;
            if number < 2 {
                // Windows of max_pool2d must divide the image: the 13 rows of the second become 12, as everywhere.
                let side = x.dim(2)? / 2 * 2;
                x = x.narrow(2, 0, side)?.narrow(3, 0, side)?.max_pool2d(2)?;
            }
        }
        let x = self.hidden.forward(&x.flatten_from(1)?)?.relu()?;
        let labels = Tensor::from_slice(labels, self.images.batch, &Device::Cpu)?;
        loss::cross_entropy(&self.last.forward(&x)?, &labels)
    }
}

impl Training for Network {
    fn step(&mut self, number: usize) -> f32 {
        let step = |network: &mut Network| {
            let loss = network.loss(number)?;
            network.optimizer.backward_step(&loss)?;
            loss.to_scalar::<f32>()
        };
        step(self).expect("candle trains this network")
    }
}
