//! The network in burn, on its ndarray backend with SIMD and threads: the fastest that needs no foreign library.

use burn::backend::{Autodiff, NdArray};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, Relu};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{Adam, AdamConfig, GradientsParams, Optimizer};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::Training;
use crate::images::Images;

type Training32 = Autodiff<NdArray<f32>>;

#[derive(Module, Debug)]
struct Layers<B: Backend> {
    convolutions: Vec<Conv2d<B>>,
    pool: MaxPool2d,
    relu: Relu,
    hidden: Linear<B>,
    last: Linear<B>,
}

impl<B: Backend> Layers<B> {
    fn new(device: &B::Device) -> Layers<B> {
        let channels = [[3, 32], [32, 64], [64, 64]];
        Layers {
            convolutions: channels.map(|channels| Conv2dConfig::new(channels, [3, 3]).init(device)).into(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            relu: Relu::new(),
            hidden: LinearConfig::new(1024, 64).init(device),
            last: LinearConfig::new(64, 10).init(device),
        }
    }

    fn forward(&self, mut x: Tensor<B, 4>) -> Tensor<B, 2> {
        for (number, convolution) in self.convolutions.iter().enumerate() {
            x = self.relu.forward(convolution.forward(x));
            if number < 2 {
                x = self.pool.forward(x);
            }
        }
        let x = self.relu.forward(self.hidden.forward(x.flatten(1, 3)));
        self.last.forward(x)
    }
}

/// The network in training with Adam.
pub struct Network {
    layers: Option<Layers<Training32>>,
    optimizer: OptimizerAdaptor<Adam, Layers<Training32>, Training32>,
    images: Images,
}

impl Network {
    /// From its first weights.
    pub fn new(images: Images) -> Network {
        Network { layers: Some(Layers::new(&Default::default())), optimizer: AdamConfig::new().init(), images }
    }
}

impl Training for Network {
    fn step(&mut self, number: usize) -> f32 {
        let device = Default::default();
        let (pixels, labels) = self.images.batch(number);
        let shape = [self.images.batch, 3, 32, 32];
        let images = Tensor::<Training32, 4>::from_data(TensorData::new(pixels.to_vec(), shape), &device);
        let labels =
            Tensor::<Training32, 1, Int>::from_data(TensorData::new(labels.to_vec(), [self.images.batch]), &device);
        let layers = self.layers.take().expect("the layers are put back after every step");
        let loss = CrossEntropyLossConfig::new().init(&device).forward(layers.forward(images), labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &layers);
        self.layers = Some(self.optimizer.step(0.001, layers, gradients));
        loss.into_scalar()
    }
}
