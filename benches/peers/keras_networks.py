"""The measured networks in Keras, as benches/experiments and experiments have them."""
import keras
from keras import layers


def cifar_cnn(activation="relu", pool=layers.MaxPooling2D, width=32, depth=0):
    """The tutorial's network; with `depth`, that many same-padded convolutions instead of its third."""
    third = [layers.Conv2D(2 * width, 3, activation=activation)] if depth == 0 else [
        layers.Conv2D(2 * width, 3, padding="same", activation=activation) for _ in range(depth)]
    return keras.Sequential([
        layers.Input((32, 32, 3)),
        layers.Conv2D(width, 3, activation=activation), pool(2),
        layers.Conv2D(2 * width, 3, activation=activation), pool(2),
        *third, layers.Flatten(), layers.Dense(64, activation=activation), layers.Dense(10),
    ]), keras.optimizers.Adam(0.001)


def cifar_cnn_smooth():
    return cifar_cnn("gelu", layers.AveragePooling2D)


def convolution(x, filters, size=3, stride=1, relu=True):
    x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.ReLU()(x) if relu else x


def cifar_resnet20():
    x = image = layers.Input((32, 32, 3))
    x = convolution(x, 16)
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage > 0 and block == 0 else 1
            shortcut = x
            if stride == 2:  # option A: subsampled, new channels zero
                shortcut = layers.MaxPooling2D(1, 2)(x)
                shortcut = layers.Concatenate()([shortcut, keras.ops.zeros_like(shortcut)])
            y = convolution(convolution(x, filters, 3, stride), filters, relu=False)
            x = layers.ReLU()(layers.Add()([y, shortcut]))
    x = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, x), keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=1e-4)


# Filters, repetitions, stride, expansion (Sandler et al. 2018, table 2), the first two strides 1.
MOBILE = [(16, 1, 1, 1), (24, 2, 1, 6), (32, 3, 2, 6), (64, 4, 2, 6), (96, 3, 1, 6), (160, 3, 2, 6), (320, 1, 1, 6)]


def cifar_mobilenet_v2():
    x = image = layers.Input((32, 32, 3))
    x = convolution(x, 32)
    for filters, repeat, stride, expansion in MOBILE:
        for block in range(repeat):
            y = convolution(x, x.shape[-1] * expansion, 1) if expansion > 1 else x
            y = layers.DepthwiseConv2D(3, stride if block == 0 else 1, padding="same", use_bias=False)(y)
            y = layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(y))
            y = convolution(y, filters, 1, relu=False)
            x = layers.Add()([x, y]) if block > 0 else y
    x = convolution(x, 1280, 1)
    x = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, x), keras.optimizers.SGD(0.05, momentum=0.9)


def mlp():
    hidden = [layers.Dense(512, activation="relu") for _ in range(2)]
    return keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), *hidden, layers.Dense(10)]), \
        keras.optimizers.Adam(0.001)


def vgg():
    stack = [layers.Input((64, 64, 3))]
    for filters in (64, 128, 256):
        stack += [layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")
                  for _ in range(2)]
        stack.append(layers.MaxPooling2D(2))
    return keras.Sequential([*stack, layers.Flatten(), layers.Dense(10)]), keras.optimizers.Adam(0.0005)


def mnist_lenet5():
    return keras.Sequential([
        layers.Input((28, 28, 1)),
        layers.Conv2D(6, 5, padding="same", activation="tanh"), layers.AveragePooling2D(2),
        layers.Conv2D(16, 5, activation="tanh"), layers.AveragePooling2D(2), layers.Flatten(),
        layers.Dense(120, activation="tanh"), layers.Dense(84, activation="tanh"), layers.Dense(10),
    ]), keras.optimizers.Adam(0.002)


def network(name, options):
    """A model and its optimizer."""
    found = {make.__name__: make for make in (
        cifar_cnn, cifar_cnn_smooth, cifar_resnet20, cifar_mobilenet_v2, mlp, vgg, mnist_lenet5)}
    return found[name](**options)
